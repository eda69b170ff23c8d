"""Proofs of a signature, as they are sent (section 4.2.4.4), in two forms.

    (A, e) on B = P1 + domain·Q_1 + Σ mᵢ·Hᵢ; random r1, r2, r3 = 1/r2
    D = r2·B          Ā = r1·r2·A          B̄ = r1·D - e·Ā, so that e(Ā, W) = e(B̄, P2)
    T1 = ẽ·Ā + r̃1·D                        shows  B̄ = r1·D - e·Ā
    T2 = r̃3·D + Σ m̃ⱼ·Hⱼ   (hidden j)       shows  B  = r3·D
    ê = ẽ + c·e    r̂1 = r̃1 - c·r1    r̂3 = r̃3 - c·r3    m̂ⱼ = m̃ⱼ + c·mⱼ

`Proof` is the draft's: it holds c, and the verifier makes T1 and T2 from it.

    Ā || B̄ || D (48 bytes each) || ê || r̂1 || r̂3 || m̂ of each hidden message || c (32 each)

`BatchableProof` holds T1 and T2 instead of c, which makes it 65 bytes longer with its
version byte. Its verification is linear in points that were sent, so that many are
checked in one sum.

    0x01 || Ā || B̄ || D || T1 || T2 || ê || r̂1 || r̂3 || m̂ of each hidden message

No point is the identity, no scalar is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.hash_chain import MAX_GENERATORS
from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group

BATCHABLE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """What the prover sends before the challenge."""

    a_bar: G1
    """Ā"""
    b_bar: G1
    """B̄"""
    d: G1
    t1: G1
    t2: G1

    def to_bytes(self) -> bytes:
        """Ā || B̄ || D || T1 || T2: what a challenge has to depend on."""
        return _encode_points((self.a_bar, self.b_bar, self.d, self.t1, self.t2))


@dataclass(frozen=True, slots=True)
class Responses:
    """What the prover answers to the challenge."""

    e: Scalar
    """ê"""
    r1: Scalar
    """r̂1"""
    r3: Scalar
    """r̂3"""
    messages: tuple[Scalar, ...]
    """m̂, one a hidden message"""

    def of_message(self, disclosure: Disclosure, index: int) -> Scalar:
        """m̂ of the message signed at ``index``. Raises `ParameterError` if it is not hidden."""
        position = disclosure.hidden_position(index)
        return self.messages[position]

    def to_bytes(self) -> bytes:
        """ê || r̂1 || r̂3 || m̂ ..."""
        return b"".join(map(group().encode_scalar, (self.e, self.r1, self.r3, *self.messages)))

    @classmethod
    def from_scalars(cls, scalars: Sequence[Scalar]) -> Responses:
        """Take them in the order of `to_bytes`."""
        e, r1, r3, *messages = scalars
        return cls(e, r1, r3, tuple(messages))


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof in the draft's form."""

    a_bar: G1
    b_bar: G1
    d: G1
    responses: Responses
    challenge: Scalar
    """c"""

    def to_bytes(self) -> bytes:
        """Write the draft's layout."""
        return (
            _encode_points((self.a_bar, self.b_bar, self.d))
            + self.responses.to_bytes()
            + group().encode_scalar(self.challenge)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Proof:
        """Read a proof. Raises `DecodingError`."""
        points, scalars = _decode(data, 3, 4, "a proof")
        a_bar, b_bar, d = points
        *responses, challenge = scalars
        return cls(a_bar, b_bar, d, Responses.from_scalars(responses), challenge)


@dataclass(frozen=True, slots=True)
class BatchableProof:
    """A proof with T1 and T2 in the place of the challenge."""

    first: FirstMessage
    responses: Responses

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return bytes([BATCHABLE_VERSION]) + self.first.to_bytes() + self.responses.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchableProof:
        """Read a proof. Raises `DecodingError`."""
        what = "a batchable proof"
        check_is_bytes(data, what)
        if not data:
            raise DecodingError(f"{what} is empty")
        if data[0] != BATCHABLE_VERSION:
            raise DecodingError(f"{what} of version {data[0]} is not known")
        points, scalars = _decode(data[1:], 5, 3, what)
        return cls(FirstMessage(*points), Responses.from_scalars(scalars))


def check_is_bytes(data: bytes, what: str) -> None:
    """Raise `ParameterError` unless ``data`` is bytes; ``what`` names it."""
    if not isinstance(data, bytes):
        raise ParameterError(f"{what} is decoded from bytes, not {type(data).__name__}")


def _encode_points(points: Sequence[G1]) -> bytes:
    return b"".join(map(group().encode_g1, points))


def _decode(
    data: bytes, point_count: int, least_scalars: int, what: str
) -> tuple[list[G1], list[Scalar]]:
    check_is_bytes(data, what)
    scalars_start = point_count * G1_SIZE
    rest = len(data) - scalars_start - least_scalars * SCALAR_SIZE
    if rest < 0 or rest % SCALAR_SIZE or rest > MAX_GENERATORS * SCALAR_SIZE:
        raise DecodingError(f"{what} does not have {len(data)} bytes")
    backend = group()
    # Scalars first: they cost nothing to refuse.
    scalars = [
        backend.decode_scalar(data[start : start + SCALAR_SIZE])
        for start in range(scalars_start, len(data), SCALAR_SIZE)
    ]
    if not all(map(int, scalars)):
        raise DecodingError(f"{what} has a scalar that is zero")
    points = [
        backend.decode_g1(data[start : start + G1_SIZE])
        for start in range(0, scalars_start, G1_SIZE)
    ]
    return points, scalars
