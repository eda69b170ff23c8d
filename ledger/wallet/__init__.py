"""A wallet: one key, and the channels that it pays or is paid through.

=================  ==============================================================
`wallet`           the folder: make it, open it, sign with it, find its channels
`key_file`         the key, in a file that only its owner can read
`terms`            what a channel's two ends and the chain agree on
`channel_file`     what an end of a channel must never forget, one file a channel
`channel_journal`  payments of a stream, written at once and synced by the dozen
`payer`            the paying end: opening, open, closing
`payee`            the paid end: open, closing
`looking`          what a channel has earned, while others have it open
`statement`        every movement of an account's money, from a chain's blocks
=================  ==============================================================

Everything is offline: the caller brings records and heights that it has verified
(`ledger.chain.light`), and takes messages and transactions to the chain.
"""
