"""The past of a chain, told from its blocks: what was agreed, used, paid and taken back.

The state forgets: a channel that was closed is gone from it, a grant that expired may be
pruned. The transactions that were carried out do not. So a chronicle takes them in order,
with the codes that were recorded, and keeps a fact of each thing that they did. It asks no
rule: whoever holds it against the state (`ledger.chain.audit`) compares two accounts of
one past that were come to by different ways.

==============  ==============================================================
`facts`         what there is to know of a fleet, a contract, a grant, a sale
`books`         every account's money, by the movements of transactions
`chronicle`     takes blocks, and writes both down
`sharing`       the part of it about contracts, offers and grants
`exchange`      the part of it about channels and sales
`consents`      the part of it about consents, withdrawals and erasures
`learning`      the part of it about models
`beginning`     where a chain that was restored from a snapshot begins
==============  ==============================================================
"""
