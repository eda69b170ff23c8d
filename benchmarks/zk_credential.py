"""Presentations of a credential measured against the sum of what they are made of.

A part of the ``zk`` benchmark: `measure_credential` gives the fields, and more figures
beside them. The fleet is known; level and expiry stay hidden, proven to be at least some
number of 32 bits; there is a nullifier. The issuer is made before the clock starts.

The parts are what a verifier without `zkproofs.credential` would run one after the other,
each from its bytes: a BBS proof of as many messages, in the draft's form; one range proof
of both numbers; and for the links between them, one multiplication each, on their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measure import MIN_ROUNDS, mid, ratios, seconds_of, take_turns
from zkproofs import range_proof
from zkproofs.batch import Batch
from zkproofs.bbs import Proof
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.prover import begin_proof
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.verifier import core_verify_proof
from zkproofs.credential import (
    AtLeast,
    Attribute,
    Attributes,
    Binding,
    Credential,
    Equals,
    Issuer,
    IssuerKey,
    Policy,
    Presentation,
    equations,
    issue,
    present,
    request_credential,
    verify,
)
from zkproofs.credential.nullifier import scope_point
from zkproofs.group import group, using
from zkproofs.pedersen import Opening, default_bases
from zkproofs.range_proof import RangeProof

FLEET = "example.com/huskies"
NOW = 1_900_000_000
POLICY = Policy(
    (
        Equals(Attribute.FLEET, FLEET),
        AtLeast(Attribute.LEVEL, 3),
        AtLeast(Attribute.EXPIRY, NOW),
    ),
    scope=b"contract, use",
)
BINDING = Binding(bytes(32), b"chain", b"transaction" * 20)
PH = BINDING.nonce + BINDING.verifier + BINDING.transaction
INTERVALS = [each.interval for each in POLICY.ranged_sums]
BATCH = 64
REPEATS = 8
"""How often a turn does what takes some milliseconds."""

FIELDS_AT_MOST = {"credential_check_vs_parts": 1.5}


@dataclass(frozen=True)
class CredentialFigures:
    """What came out; `FIELDS_AT_MOST` has the bounds."""

    fields: dict[str, float]
    figures: dict[str, float]
    turns: dict[str, list[float]]


class _Work:
    """A robot that presents, and its verifier."""

    def __init__(self) -> None:
        self.key = IssuerKey.generate()
        asking = request_credential(self.key.issuer, BINDING.nonce)
        attributes = Attributes(FLEET, "courier", 4, NOW + 100_000, 77)
        response, _ = issue(self.key, asking.request, attributes, BINDING.nonce)
        self.credential = asking.complete(response)
        self.data = self.present().to_bytes(POLICY)

    def present(self) -> Presentation:
        return present(self.credential, POLICY, BINDING)

    def check(self) -> None:
        verify(Presentation.from_bytes(self.data, POLICY), self.key.issuer, POLICY, BINDING)

    def issue(self) -> None:
        asking = request_credential(self.key.issuer, BINDING.nonce)
        issue(self.key, asking.request, self.credential.attributes, BINDING.nonce)

    def check_batch(self, presentations: list[bytes]) -> None:
        batch = Batch()
        for data in presentations:
            presentation = Presentation.from_bytes(data, POLICY)
            batch.add(*equations(presentation, self.key.issuer, POLICY, BINDING))
        batch.verify()


class _Parts:
    """The same checks, each by itself."""

    def __init__(self, credential: Credential) -> None:
        backend, issuer = group(), credential.issuer
        self._domain = issuer.credentials
        self._disclosure = Disclosure.of(credential.messages, (int(Attribute.FLEET),))
        state = begin_proof(
            self._domain,
            credential.signature,
            credential.messages,
            self._disclosure.indexes,
            scalars=fresh_scalars,
        )
        challenge = proof_challenge(self._domain, self._disclosure, state.first, PH)
        self._proof = state.respond(challenge).to_bytes()
        values = (credential.attributes.level, credential.attributes.expiry)
        openings = [Opening.of(value) for value in values]
        self._range_proof = range_proof.prove(openings, INTERVALS, PH).to_bytes()
        self._commitments = [backend.encode_g1(each.commitment()) for each in openings]
        # Ĉ, C twice; Û, Nym: of these C is decoded with the range proof.
        self._points = [
            backend.encode_g1(backend.g1 * each) for each in fresh_scalars(len(openings) + 2)
        ]
        self._scalars = fresh_scalars(4)

    def bbs(self) -> None:
        core_verify_proof(self._domain, Proof.from_bytes(self._proof), self._disclosure, PH)

    def ranges(self) -> None:
        commitments = [group().decode_g1(each) for each in self._commitments]
        proof = RangeProof.from_bytes(self._range_proof)
        range_proof.verify(proof, commitments, INTERVALS, PH)

    def links(self) -> None:
        backend, bases = group(), default_bases()
        *masked, hat_u, nym = (backend.decode_g1(each) for each in self._points)
        for point in masked:
            points = (point, nym, bases.value, bases.blinding)
            backend.msm(points, self._scalars)
        backend.msm((hat_u, nym, scope_point(b"contract, use")), self._scalars[:3])

    def all(self) -> None:
        self.bbs()
        self.ranges()
        self.links()


def measure_credential(rounds: int = MIN_ROUNDS) -> CredentialFigures:
    """Measure on the default backend; one check on py_ecc, to show the factor.

    Both fields in ms are of a presentation of `POLICY`; checking starts from its bytes.
    """
    work = _Work()
    parts = _Parts(work.credential)
    many = [work.present().to_bytes(POLICY) for _ in range(BATCH)]
    jobs: dict[str, tuple[Callable[[], object], int]] = {
        "check": (work.check, REPEATS),
        "parts": (parts.all, REPEATS),
        "present": (work.present, 2),
        "issue": (work.issue, REPEATS),
        "part_bbs": (parts.bbs, REPEATS),
        "part_range": (parts.ranges, REPEATS),
        "part_links": (parts.links, REPEATS),
        "batch64": (lambda: work.check_batch(many), 1),
    }

    def one_round(_: int) -> dict[str, float]:
        return {name: _each(job, count) for name, (job, count) in jobs.items()}

    one_round(-1)  # warms up
    seconds = take_turns(max(rounds, MIN_ROUNDS), one_round)
    seconds["batch64"] = [taken / BATCH for taken in seconds["batch64"]]
    turns = {"credential_check_vs_parts": ratios(seconds["check"], seconds["parts"])}
    fields = {
        "credential_present_ms": 1000 * mid(seconds["present"]),
        "credential_check_ms": 1000 * mid(seconds["check"]),
        "credential_check_vs_parts": mid(turns["credential_check_vs_parts"]),
    }
    figures = {
        f"credential_{name}_ms": 1000 * mid(taken)
        for name, taken in seconds.items()
        if name not in ("present", "check")
    }
    figures["credential_bytes"] = float(len(work.data))
    for name, taken in _reference_seconds(work).items():
        figures[f"credential_{name}_pyecc_factor"] = taken / mid(seconds[name])
    return CredentialFigures(fields, figures, turns)


def _each(job: Callable[[], object], count: int) -> float:
    def repeated() -> None:
        for _ in range(count):
            job()

    return seconds_of(repeated) / count


def _reference_seconds(work: _Work) -> dict[str, float]:
    public, held = work.key.issuer.to_bytes(), work.credential.to_bytes()
    with using("py_ecc"):
        issuer = Issuer.from_bytes(public)
        credential = Credential.from_bytes(held, issuer)

        def check() -> None:
            verify(Presentation.from_bytes(work.data, POLICY), issuer, POLICY, BINDING)

        check()  # makes the generators
        return {
            "present": seconds_of(lambda: present(credential, POLICY, BINDING)),
            "check": seconds_of(check),
        }
