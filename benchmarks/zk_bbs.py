"""BBS measured against one pairing of the same library, turn by turn.

A part of the ``zk`` benchmark: `measure_bbs` gives the fields, and more figures beside
them. Signatures are on `MESSAGES` messages, of which `DISCLOSED` are disclosed, as a
credential's would be. All proofs are of one issuer, whose `Domain` is made before the
clock starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import MIN_ROUNDS, mid, ratios, seconds_of, take_turns
from zkproofs.batch import Batch
from zkproofs.bbs import (
    BatchableProof,
    Ciphersuite,
    Disclosure,
    Domain,
    Interface,
    Proof,
    SecretKey,
)
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.prover import ProverAwaitingChallenge, begin_proof
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.signature import core_sign, core_verify
from zkproofs.bbs.verifier import core_verify_proof, proof_equations
from zkproofs.group import group, using

MESSAGES = 7
DISCLOSED = (0, 1)
BATCH = 64
REPEATS = 16
"""How often a turn does what takes a millisecond."""

PH = b"nonce, verifier, transaction"
INTERFACE = Interface(Ciphersuite.SHA_256, b"H2G_RAW_BENCHMARK_")

BOUNDS = {"bbs_proof_verify_vs_pairing": 4.2, "bbs_batch64_each": 0.6}
"""The most that each field may be."""


@dataclass(frozen=True)
class BbsFigures:
    """What came out; ``fields`` are ratios to one pairing, and have `BOUNDS`."""

    fields: dict[str, float]
    figures: dict[str, float]


class _Work:
    """One issuer, one signature, and proofs of it in both forms."""

    def __init__(self, batch: int) -> None:
        backend = group()
        self.key = SecretKey.generate()
        self.domain = Domain.of(INTERFACE, self.key.public_key, b"issuer", MESSAGES)
        self.messages = fresh_scalars(MESSAGES)
        self.signature = core_sign(self.key, self.domain, self.messages)
        self.disclosure = Disclosure.of(self.messages, DISCLOSED)
        self.proofs = [self.prove().to_bytes() for _ in range(batch)]
        self.batchable = [self.prove_batchable().to_bytes() for _ in range(batch)]
        self._point = backend.g1 * backend.random_scalar()

    def pairing(self) -> None:
        group().pairing(self._point, self.key.public_key.point)

    def sign(self) -> None:
        core_sign(self.key, self.domain, self.messages)

    def verify(self) -> None:
        core_verify(self.domain, self.signature, self.messages)

    def prove(self) -> Proof:
        state = self._begin()
        return state.respond(proof_challenge(self.domain, self.disclosure, state.first, PH))

    def prove_batchable(self) -> BatchableProof:
        state = self._begin()
        challenge = proof_challenge(self.domain, self.disclosure, state.first, PH)
        return state.respond_batchable(challenge)

    def verify_proof(self) -> None:
        proof = Proof.from_bytes(self.proofs[0])
        core_verify_proof(self.domain, proof, self.disclosure, PH)

    def verify_batch(self, proofs: Sequence[Proof | BatchableProof]) -> None:
        batch = Batch()
        for proof in proofs:
            batch.add(*proof_equations(self.domain, proof, self.disclosure, PH))
        batch.verify()

    def _begin(self) -> ProverAwaitingChallenge:
        return begin_proof(
            self.domain, self.signature, self.messages, DISCLOSED, scalars=fresh_scalars
        )


def measure_bbs(rounds: int = MIN_ROUNDS) -> BbsFigures:
    """Measure on the default backend; one proof on py_ecc, to show the factor.

    ``bbs_proof_verify_vs_pairing`` is of a proof in the draft's form, decoding included.
    ``bbs_batch64_each`` is the share in a batch of 64 proofs in batchable form, decoding
    included as well; for decoded ones, and for the draft's form, the figures tell.
    """
    work = _Work(BATCH)
    decoded = [BatchableProof.from_bytes(data) for data in work.batchable]
    drafts = [Proof.from_bytes(data) for data in work.proofs]
    sides: dict[str, tuple[Callable[[], object], int]] = {
        "sign": (work.sign, REPEATS),
        "verify": (work.verify, REPEATS),
        "prove": (work.prove, REPEATS),
        "proof_verify": (work.verify_proof, REPEATS),
    }
    batches: dict[str, Callable[[], object]] = {
        "batch64": lambda: work.verify_batch(
            [BatchableProof.from_bytes(data) for data in work.batchable]
        ),
        "batch64_decoded": lambda: work.verify_batch(decoded),
        "batch64_draft": lambda: work.verify_batch(drafts),
    }

    def one_round(_: int) -> dict[str, float]:
        taken = {}
        for name, (job, count) in sides.items():
            # Each has a pairing of its own beside it, so that both see the same neighbours.
            taken[f"{name}_pairing"] = _each(work.pairing, REPEATS)
            taken[name] = _each(job, count)
        for name, job in batches.items():
            taken[f"{name}_pairing"] = _each(work.pairing, REPEATS)
            taken[name] = seconds_of(job) / BATCH
        return taken

    one_round(-1)  # makes the generators, and warms up
    seconds = take_turns(max(rounds, MIN_ROUNDS), one_round)
    names = (*sides, *batches)
    versus = {name: mid(ratios(seconds[name], seconds[f"{name}_pairing"])) for name in names}
    figures = {f"bbs_{name}_ms": 1000 * mid(seconds[name]) for name in names}
    figures["pairing_ms"] = 1000 * mid(
        [each for name in names for each in seconds[f"{name}_pairing"]]
    )
    for name in ("sign", "verify", "prove", "batch64_decoded", "batch64_draft"):
        figures[f"bbs_{name}_vs_pairing"] = versus[name]
    figures["bbs_proof_bytes"] = float(len(work.proofs[0]))
    figures["bbs_batchable_bytes"] = float(len(work.batchable[0]))
    for name, taken in _reference_seconds().items():
        figures[f"bbs_{name}_pyecc_factor"] = taken / mid(seconds[name])
    return BbsFigures(
        {
            "bbs_proof_verify_vs_pairing": versus["proof_verify"],
            "bbs_batch64_each": versus["batch64"],
        },
        figures,
    )


def _each(job: Callable[[], object], count: int) -> float:
    def repeated() -> None:
        for _ in range(count):
            job()

    return seconds_of(repeated) / count


def _reference_seconds() -> dict[str, float]:
    with using("py_ecc"):
        work = _Work(1)
        return {"prove": seconds_of(work.prove), "proof_verify": seconds_of(work.verify_proof)}
