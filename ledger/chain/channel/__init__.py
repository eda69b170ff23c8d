"""Payment channels off the chain: what a payer signs or reveals, and who checks it.

==============  ==============================================================
`identity`      the id of a channel
`voucher`       signed amounts, each more than the one before
`payword`       hash chains: a payment is 32 bytes that only the payer can know
==============  ==============================================================

Nothing here knows a state, a file or a clock; `ledger.chain.rules.channel` judges claims by
it, and `ledger.wallet` makes and collects them.
"""
