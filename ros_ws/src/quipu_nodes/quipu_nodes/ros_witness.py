"""Other robots over ROS: witnesses that are asked, and logs that give proofs."""

from __future__ import annotations

from typing import Final

from quipu_interfaces.srv import AddCheckpoint, ProveConsistency, ProveInclusion
from rclpy.exceptions import InvalidServiceNameException
from rclpy.node import Node

from ledger.errors import LedgerError, MalformedError, NotFoundError, RefusedError
from ledger.experience.disclosure import parse_disclosure
from ledger.merkle.hashing import leaf_hash
from ledger.tlog_proof import TlogProof
from ledger.witnessing.leaf_path import LeafPath
from ledger.witnessing.proof_source import split_hashes
from ledger.witnessing.transport import Answer, UnreachableError
from quipu_nodes.service_call import ServiceCall

TIMEOUT_S: Final = 2.0
MAX_PEERS: Final = 256

_ERRORS: Final[dict[int, type[LedgerError]]] = {
    ProveConsistency.Response.NOT_FOUND: NotFoundError,
    ProveConsistency.Response.REFUSED: RefusedError,
    ProveConsistency.Response.UNAVAILABLE: UnreachableError,
}


class RosWitness:
    """A `ledger.witnessing.transport.WitnessTransport` to the witness node ``peer``."""

    def __init__(self, node: Node, peer: str, timeout_s: float = TIMEOUT_S) -> None:
        self._call = _call(node, AddCheckpoint, f"{peer}/add_checkpoint", timeout_s)

    def add_checkpoint(self, body: bytes) -> Answer:
        """See `WitnessTransport`."""
        answer = self._call(AddCheckpoint.Request(body=body))
        return Answer(answer.status, bytes(answer.body))

    def close(self) -> None:
        """Give the client up."""
        self._call.close()


class RosProofSource:
    """A `ledger.witnessing.proof_source.ProofSource`: the memory node ``peer``."""

    def __init__(self, node: Node, peer: str, timeout_s: float = TIMEOUT_S) -> None:
        self._node = node
        self._peer = peer
        self._timeout_s = timeout_s
        self._consistency: ServiceCall | None = None
        self._inclusion: ServiceCall | None = None

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """See `ProofSource`."""
        if self._consistency is None:
            name = f"{self._peer}/prove_consistency"
            self._consistency = _call(self._node, ProveConsistency, name, self._timeout_s)
        answer = self._consistency(ProveConsistency.Request(old_size=old_size, new_size=size))
        _check(answer)
        if answer.new_size != size:
            raise MalformedError(f"asked for {size} leaves, {self._peer} proves {answer.new_size}")
        return split_hashes(bytes(answer.proof))

    def prove_leaf(self, index: int, size: int) -> LeafPath:
        """See `ProofSource`."""
        if self._inclusion is None:
            name = f"{self._peer}/prove_inclusion"
            self._inclusion = _call(self._node, ProveInclusion, name, self._timeout_s)
        answer = self._inclusion(ProveInclusion.Request(index=index, size=size))
        _check(answer)
        proof = TlogProof.parse(bytes(answer.proof))
        if proof.extra is None:
            raise MalformedError(f"{self._peer} leaves the entry out")
        return LeafPath(leaf_hash(parse_disclosure(proof.extra).entry), proof.path)

    def close(self) -> None:
        """Give the clients up."""
        for call in (self._consistency, self._inclusion):
            if call is not None:
                call.close()


class Peers:
    """The proof sources of the nodes that were named so far; the oldest make room."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sources: dict[str, RosProofSource] = {}

    def source_at(self, peer: str) -> RosProofSource:
        """The source at the memory node ``peer``."""
        source = self._sources.pop(peer, None) or RosProofSource(self._node, peer)
        self._sources[peer] = source
        if len(self._sources) > MAX_PEERS:
            self._sources.pop(next(iter(self._sources))).close()
        return source

    def close(self) -> None:
        """Give them all up."""
        for source in self._sources.values():
            source.close()
        self._sources = {}


def _call(node: Node, kind: object, name: str, timeout_s: float) -> ServiceCall:
    try:
        return ServiceCall(node, kind, name, timeout_s)
    except (InvalidServiceNameException, ValueError, RuntimeError) as error:
        # A name that a stranger gave.
        raise UnreachableError(f"{name!r} is no service: {error}") from None


def _check(answer: ProveConsistency.Response | ProveInclusion.Response) -> None:
    if answer.error_code:
        kind = _ERRORS.get(answer.error_code, MalformedError)
        raise kind(answer.error_msg or "the log gives no proof")
