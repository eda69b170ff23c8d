"""The rules: what transactions may do, one file a capability.

=================  ===========================================================
`payment`          assets, mint, transfers, spending caps
`fleet`            fleets: authority, issuer keys, pool, sponsorship, witnesses
`robot`            robots: registration, rotation and retirement of keys
`recovery`         a new key for a robot whose key is lost
`anchor`           the newest checkpoint of each robot's log
`fork`             evidence that a robot's log forked, which freezes it
`channel`          payment channels: open, top up, close, challenge, settle
`consent`          consent of data subjects, and receipts of what was erased
`sharing`          contracts: who may use a fleet's recordings, and on what terms
`offers`           recordings offered under a contract, with what is proven of them
`grant`            leave to use a recording, for a member that does not say who it is
`buyer_erasure`    receipts of buyers who erased what they bought
`exchange`         atomic sales under a grant: lock, reveal, complain, settle
`learning`         models, and what they were trained on
`registry`         all of their actions, by name
=================  ===========================================================
"""
