"""Lineage as a robot's log has it: from a record to all that it came from, and went into."""

from __future__ import annotations

from dataclasses import replace

from ledger.experience.access import ExperienceReader
from ledger.experience.provenance import acquisitions_of, trainings_of, trainings_on
from ledger.lineage.chain_facts import ChainFacts
from ledger.lineage.graph import Lineage, Node, Purchase
from ledger.merkle.hashing import leaf_hash


def lineage_of(
    reader: ExperienceReader, record_id: bytes, facts: ChainFacts | None = None
) -> Lineage:
    """The lineage of a record, with what a chain says of it where one is asked.

    Raises `NotFoundError` for no record of this log, CorruptStoreError, StorageError, and
    what the chain's rows raise.
    """
    nodes: dict[bytes, Node] = {}
    waiting = [record_id]
    for each in waiting:
        if each not in nodes:
            nodes[each] = _node(reader, each, facts)
            waiting += nodes[each].inputs
    downstream: dict[bytes, tuple[bytes, ...]] = {}
    following = [record_id]
    for each in following:
        if each not in downstream:
            models = sorted({said.record_id for _, said in trainings_on(reader, each)})
            downstream[each] = tuple(models)
            following += models
            for model in models:
                if model not in nodes:
                    nodes[model] = _node(reader, model, facts)
    lineage = Lineage(reader.log.origin, record_id, nodes, downstream)
    return lineage if facts is None else _with_registrations(lineage, facts)


def _node(reader: ExperienceReader, record_id: bytes, facts: ChainFacts | None) -> Node:
    record = reader.record(record_id)
    experience = record.experience
    return Node(
        record_id=record_id,
        index=record.index,
        leaf=leaf_hash(reader.log.entry(record.index)),
        name=experience.name,
        media_type=experience.media_type,
        content_root=experience.content_root,
        presence=record.state.presence,
        purchases=tuple(
            Purchase(
                index,
                bought,
                facts.agreement(bought.grant, bought.offer)
                if facts is not None and facts.chain == bought.chain
                else None,
            )
            for index, bought in acquisitions_of(reader, record_id)
        ),
        trainings=tuple(trainings_of(reader, record_id)),
        withdrawn=facts.withdrawn(reader.log.origin, record_id) if facts is not None else None,
        registered=None,
    )


def _with_registrations(lineage: Lineage, facts: ChainFacts) -> Lineage:
    """The same, with what the robot's fleet registered of its models."""
    fleet = facts.fleet_of(lineage.origin)
    if not fleet:
        return lineage
    nodes = dict(lineage.nodes)
    for record_id, node in lineage.nodes.items():
        if node.is_model and node.content_root:
            whole = _whole(lineage, record_id)
            grants = whole.grants() if whole is not None else ()
            registered = facts.registered(fleet, node.content_root, grants)
            nodes[record_id] = replace(node, registered=registered)
    return replace(lineage, nodes=nodes)


def _whole(lineage: Lineage, record_id: bytes) -> Lineage | None:
    """The lineage of another node, if all that it came from is in this one."""
    waiting, seen = [record_id], set[bytes]()
    for each in waiting:
        if each not in lineage.nodes:
            return None
        if each not in seen:
            seen.add(each)
            waiting += lineage.nodes[each].inputs
    return replace(lineage, root=record_id)
