"""Lineage: what a model was trained on, where that came from, and what became of it.

================  ==============================================================
`graph`           records, purchases and models, and how they hang together
`home_lineage`    read from a robot's log
`chain_facts`     what a settlement chain says of them, proven
`chain_lineage`   read from a chain alone: models, offers, and what joins them
`registration`    what a fleet tells a chain of a model
================  ==============================================================
"""
