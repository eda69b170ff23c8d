"""The audit of a settlement chain: everything computed again and compared.

===================  =========================================================
`request`            what an audit is asked
`log_check`          the leaves: tree, checkpoints, and block by block what follows
`block_walk`         leaves as blocks: order, headers, the rows kept of each
`rule_replay`        every transaction carried out again, from the genesis on
`replayed_state`     the state map that comes of it, in memory
`state_check`        the stored state and its tiles against that one
`history_check`      what is kept of older states against what blocks replaced
`money_check`        of each asset: balances and channels are what was minted
`consent_check`      withdrawn consents, and the erasures still to be shown
`sharing_check`      contracts, offers and grants by themselves: none out of its time
`exchange_check`     channels and sales by themselves: what went in came out
`notice_check`       erasures that buyers owe, and their receipts
`model_check`        registered models, and what homes say that they were trained on
`fact_check`         the state against the chronicle (`ledger.chain.chronicle`)
`home_facts`         a robot's home, read whole
`robot_check`        robots' homes: their logs against what was anchored of them
`offer_check`        what a robot offers against its log and content
`acquisition_check`  what a home bought and trained on against what was granted
`audit`              all of it in this process; `isolated`, in a child's
===================  =========================================================
"""
