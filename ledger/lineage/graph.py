"""The graph: records of a log, what was bought of them, and the models that they went into.

Nodes are records. A model is a record with Training entries, and its inputs are records, which
may be models too. Whatever a chain says of them is None where no chain was asked, or where the
entry is of another chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from ledger.experience.kinds import Acquisition, Training
from ledger.experience.records import Presence


@dataclass(frozen=True, slots=True)
class WithdrawnConsent:
    """Consent of a record is withdrawn."""

    consents: tuple[bytes, ...]
    """Ids of those that were."""
    since_height: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a chain says of a purchase. Heights of 0 mean: not so far."""

    contract_name: str
    contract_withdrawn_height: int
    seller_fleet: str
    purpose: str
    """That was said when it was granted; empty where the grant is pruned."""
    pruned: bool
    withdrawn: WithdrawnConsent | None
    confirmed_height: int
    """Of the block in which the grant's key said that the content is erased."""

    @property
    def receipt_is_due(self) -> bool:
        """Whether consent is withdrawn, and the grant's key has still to confirm the erasure."""
        return self.withdrawn is not None and not self.confirmed_height and not self.pruned


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase of a record's content: the Acquisition at ``index``."""

    index: int
    acquisition: Acquisition
    agreement: Agreement | None


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model as its fleet registered it on a chain."""

    model: bytes
    """Its id there."""
    fleet: str
    name: str
    height: int
    withdrawn_height: int
    unnamed: tuple[bytes, ...]
    """Grants under which its inputs were bought, and that the registration does not name."""


@dataclass(frozen=True, slots=True)
class Node:
    """A record, with what the log and the chain say of where it came from."""

    record_id: bytes
    index: int
    """Of its Experience."""
    leaf: bytes
    """Leaf hash of that entry."""
    name: str
    media_type: str
    content_root: bytes
    presence: Presence
    purchases: tuple[Purchase, ...]
    trainings: tuple[tuple[int, Training], ...]
    """What it says that it, a model, was trained on; with the indices of the entries."""
    withdrawn: WithdrawnConsent | None
    registered: RegisteredModel | None

    @property
    def is_model(self) -> bool:
        """Whether it was trained on anything."""
        return bool(self.trainings)

    @property
    def inputs(self) -> tuple[bytes, ...]:
        """The records that it was trained on, ascending."""
        return tuple(sorted({each for _, said in self.trainings for each in said.inputs}))

    @property
    def model_name(self) -> str:
        """What the model is called: as it was trained last."""
        return self.trainings[-1][1].name if self.trainings else self.name


class ConcernKind(Enum):
    """Why somebody may have to act; the value is the word that ``--json`` has."""

    ERASED = "erased"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    """Of a recording of the robot itself."""
    BOUGHT_CONSENT_WITHDRAWN = "bought-consent-withdrawn"
    """Of a recording that was bought: it is to be erased here too."""
    CONTRACT_WITHDRAWN = "contract-withdrawn"
    """What was bought under it before stays bought."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something about a record that went into what the lineage is of."""

    kind: ConcernKind
    record_id: bytes
    since_height: int = 0
    """Of the chain; 0 for what the log says."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything that ``root`` came from, and the models that it went into."""

    origin: str
    """Of the log."""
    root: bytes
    nodes: Mapping[bytes, Node]
    downstream: Mapping[bytes, tuple[bytes, ...]]
    """Of the root, and of each model that it went into: the models trained on that."""

    def inputs(self, record_id: bytes) -> list[bytes]:
        """What a node was trained on, in the order of the log."""
        return sorted(self.nodes[record_id].inputs, key=lambda each: self.nodes[each].index)

    def sources(self) -> tuple[Node, ...]:
        """The root and all that it was trained on, however far back; each once, nearest first."""
        found: dict[bytes, Node] = {}
        waiting = [self.root]
        for record_id in waiting:
            if record_id not in found:
                found[record_id] = self.nodes[record_id]
                waiting += self.inputs(record_id)
        return tuple(found.values())

    def grants(self) -> tuple[bytes, ...]:
        """The grants under which any of it was bought, ascending."""
        bought = (each for node in self.sources() for each in node.purchases)
        return tuple(sorted({purchase.acquisition.grant for purchase in bought}))

    def concerns(self) -> tuple[Concern, ...]:
        """What of it was erased, and whose consent or contract was withdrawn."""
        return tuple(each for node in self.sources() for each in _concerns(node))


def _concerns(node: Node) -> Iterator[Concern]:
    if node.presence is Presence.ERASED:
        yield Concern(ConcernKind.ERASED, node.record_id)
    if node.withdrawn is not None:
        yield Concern(ConcernKind.CONSENT_WITHDRAWN, node.record_id, node.withdrawn.since_height)
    for purchase in node.purchases:
        agreement = purchase.agreement
        if agreement is None:
            continue
        if agreement.withdrawn is not None:
            since = agreement.withdrawn.since_height
            yield Concern(ConcernKind.BOUGHT_CONSENT_WITHDRAWN, node.record_id, since)
        if agreement.contract_withdrawn_height:
            since = agreement.contract_withdrawn_height
            yield Concern(ConcernKind.CONTRACT_WITHDRAWN, node.record_id, since)
