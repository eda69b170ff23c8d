"""The light side: what somebody with keys alone can check of a chain, from bytes alone.

No store is read here and nothing is executed. What the operator says is believed only as
far as its keys, and the witnesses', reach; see ``docs/format.md``, "Checking a receipt".

=================  ===========================================================
`trust`            the chain's id, its log's keys, the witnesses that must agree
`signed_header`    a header that is a leaf under a checkpoint
`receipt`          a transaction is in a block, and what came of it
`answer`           what the state after a block says of a key
`snapshot`         a snapshot's manifest, and its chunks one by one
`client`           the newest header that was verified: only ever onwards
=================  ===========================================================
"""
