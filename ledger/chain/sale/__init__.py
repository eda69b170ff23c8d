"""Atomic sales off the chain: what both sides compute alike, and the chain in a dispute.

==============  ==============================================================
`identity`      the id of a sale, and what is locked instead of its key
`masking`       a key for each unit, and units under it
`complaint`     whether a unit under the revealed key is what was granted
`escrow`        what a sale holds
==============  ==============================================================

FairSwap (Dziembowski, Eckey and Faust, 2018) restricted to the chunks of one content root.
Nothing here knows a state, a file or a clock; `ledger.chain.rules.exchange` judges by it, and
`ledger.exchange.fairswap` seals, checks and complains.
"""
