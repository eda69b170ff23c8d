"""A chain with a fleet and its robots, whose logs are trees that grow, or fork.

Logs are those of ``tests.ledger.witnessing.sample_trees``: `HONEST`, and trees that are
others from some leaf on. Keys change by the chain's own rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ledger.chain.result import Result
from ledger.chain.rules.robot import rotate_message
from ledger.chain.state_keys import anchor_key
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.note import CosignatureSigner, NoteSigner
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord, ReportFork
from ledger.schema.chain_identity_pb2 import (
    BeginRecovery,
    CompleteRecovery,
    RetireKey,
    RetireRobot,
    RotateKey,
    SetWitnessPolicy,
)
from ledger.witness import cosign_checkpoint
from ledger.witnessing.evidence import ForkClaim
from ledger.witnessing.policy import Policy, PolicyGroup, PolicyWitness
from tests.ledger.chain.rules.chain_world import SECOND, ChainWorld, account_of, known_key
from tests.ledger.witnessing.sample_trees import HONEST, fork_at

ORIGIN: Final = "example.com/husky"
OTHER: Final = "example.com/kelpie"

Seen = tuple[str, int]
"""A witness's name, and the second in which it cosigns."""


def witness(name: str) -> CosignatureSigner:
    """The witness of this name, whose key is the one named like it."""
    return CosignatureSigner(f"example.com/{name}", known_key(name))


def quorum(threshold: int, *names: str) -> bytes:
    """A policy: so many of these witnesses."""
    witnesses = tuple(PolicyWitness(name, witness(name).verifier_key) for name in names)
    group = PolicyGroup("enough", threshold, names)
    return Policy((), witnesses, (group,), "enough").encode()


def evidence(one: bytes, other: bytes, path: Sequence[bytes] = ()) -> bytes:
    """Two checkpoints in their order, and a path, as they are reported."""
    return ForkClaim.of(one, other, path).encode()


class RobotWorld(ChainWorld):
    """One fleet of two robots; ``husky`` is the key with which `ORIGIN` was registered."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.fleet: Final = self.create_fleet()
        self.husky: Final = self.register(self.fleet, ORIGIN)
        self.kelpie: Final = self.register(self.fleet, OTHER)

    @property
    def now_s(self) -> int:
        """The second of the block's time."""
        return self.time_ns // SECOND

    # Notes

    def note(
        self,
        size: int,
        *keys: PrivateKey,
        fork: int | None = None,
        origin: str = ORIGIN,
        seen: Sequence[Seen] = (),
    ) -> bytes:
        """A checkpoint of the honest tree, or of one that forks at leaf ``fork``.

        Signed by ``keys`` (the first of `ORIGIN` if there are none), seen by witnesses.
        """
        tree = HONEST if fork is None else fork_at(fork)
        signers = [NoteSigner(origin, key) for key in keys or (self.husky,)]
        note = sign_checkpoint(Checkpoint(origin, size, tree.mth(0, size)), signers)
        for name, time_s in seen:
            note = cosign_checkpoint(note, witness(name), time_s)
        return note

    # Doing

    def anchor(self, note: bytes, proof: Sequence[bytes] | None = None, **fields: Any) -> Result:
        """Anchor a note, with the proof of the honest tree unless another is given."""
        if proof is None:
            anchored = self.anchored(Checkpoint.of_note(note).origin)
            old, size = (anchored.size if anchored else 0), Checkpoint.of_note(note).size
            proof = HONEST.proof(old, size) if 0 < old < size else ()
        return self.do(self.key("alice"), AnchorCheckpoint(note=note, proof=proof), **fields)

    def report(self, one: bytes, other: bytes, path: Sequence[bytes] = ()) -> Result:
        """Report two checkpoints as a fork."""
        return self.report_bytes(evidence(one, other, path))

    def report_bytes(self, claim: bytes) -> Result:
        """Report whatever it is."""
        return self.do(self.key("alice"), ReportFork(evidence=claim))

    def set_policy(self, policy: bytes) -> None:
        """Set the fleet's witness policy."""
        self.must(self.key("authority"), SetWitnessPolicy(fleet=self.fleet, policy=policy))

    def rotate(self, old: PrivateKey, name: str, overlap: int = 5) -> PrivateKey:
        """Rotate `ORIGIN` to the key of this name."""
        new = self.key(name)
        signature = new.sign(rotate_message(self.chain, account_of(old), account_of(new), ORIGIN))
        self.must(
            old,
            RotateKey(
                origin=ORIGIN, new_key=account_of(new), new_signature=signature, overlap=overlap
            ),
        )
        return new

    def retire_key(self, key: PrivateKey) -> None:
        """Let the authority end an older key of `ORIGIN` with this block."""
        self.must(self.key("authority"), RetireKey(origin=ORIGIN, key=account_of(key)))

    def retire(self) -> None:
        """Let the authority retire `ORIGIN`."""
        self.must(self.key("authority"), RetireRobot(origin=ORIGIN))

    def begin_recovery(self, name: str) -> PrivateKey:
        """Let the authority announce a key for `ORIGIN`."""
        authority, new = self.key("authority"), self.key(name)
        signature = new.sign(
            rotate_message(self.chain, account_of(authority), account_of(new), ORIGIN)
        )
        self.must(
            authority,
            BeginRecovery(origin=ORIGIN, new_key=account_of(new), new_signature=signature),
        )
        return new

    def complete_recovery(self) -> None:
        """Let the announced key take over."""
        self.must(self.key("authority"), CompleteRecovery(origin=ORIGIN))

    # Looking

    def anchored(self, origin: str = ORIGIN) -> AnchorRecord | None:
        """What is anchored of a log."""
        return self.state.read(AnchorRecord, anchor_key(origin))
