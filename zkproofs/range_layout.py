"""Range proofs as they are sent, and the versions there are.

    version (1) || A || S || T1 || T2 || t || τ || μ || L_1 || R_1 || .. || a || b

with a and b the last vectors of the inner product, of so many scalars each:

    version   scalars   protocol of the transcript   bytes, for N bits in all
       1         1      range-proof-v1               353 + 96·log2(N)
       2         4      range-proof-v2               545 + 96·(log2(N) - 2): as many

Version 2 stops two rounds earlier. Four points less are multiplied by a verifier, who
spends nothing on the six scalars more, and the prover's rounds are fewer. A proof's
version is under all its challenges, through the protocol's name. `zkproofs.range_proof`
verifies both and makes the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group
from zkproofs.inner_product import InnerProductProof
from zkproofs.interval import MAX_SIZE

WHAT: Final = "a range proof"


@dataclass(frozen=True, slots=True)
class Layout:
    """What one version says."""

    version: int
    last: int
    """How many scalars a and b have when the rounds stop."""

    @property
    def protocol(self) -> bytes:
        """What the transcript is of."""
        return b"range-proof-v%d" % self.version

    @property
    def fixed_size(self) -> int:
        """Bytes of all that is not L and R."""
        return 1 + 4 * G1_SIZE + (3 + 2 * self.last) * SCALAR_SIZE

    def rounds(self, size: int) -> int:
        """The number of L and of R for ``size`` bits, a power of two and 8 or more."""
        return size.bit_length() - self.last.bit_length()

    def proof_size(self, size: int) -> int:
        """Bytes of a proof of ``size`` bits."""
        return self.fixed_size + _ROUND_SIZE * self.rounds(size)


LAYOUTS: Final[Mapping[int, Layout]] = {
    layout.version: layout for layout in (Layout(1, 1), Layout(2, 4))
}
NEWEST: Final = LAYOUTS[max(LAYOUTS)]
_VERSIONS: Final = " or ".join(map(str, LAYOUTS))
_ROUND_SIZE: Final = 2 * G1_SIZE


@dataclass(frozen=True, slots=True)
class RangeProof:
    """A proof; the letters are the paper's."""

    A: G1
    S: G1
    T1: G1
    T2: G1
    t: Scalar
    tau: Scalar
    """τ, the paper's τ_x"""
    mu: Scalar
    """μ"""
    inner: InnerProductProof
    version: int = NEWEST.version

    @property
    def layout(self) -> Layout:
        """That of the version. Raises `ParameterError` where there is none."""
        if self.version not in LAYOUTS:
            raise ParameterError(f"{WHAT} of version {self.version}, not {_VERSIONS}")
        return LAYOUTS[self.version]

    def to_bytes(self) -> bytes:
        """Write the layout above.

        Raises `ParameterError` where L and R are not of one length, or a or b not of the
        version's: no reader would get the same proof.
        """
        inner, layout = self.inner, self.layout
        if len(inner.left) != len(inner.right):
            raise ParameterError(f"{WHAT} has another number of L than of R")
        if not len(inner.a) == len(inner.b) == layout.last:
            raise ParameterError(f"a and b of {WHAT} have {layout.last} scalars each")
        point, scalar = group().encode_g1, group().encode_scalar
        parts = [bytes([layout.version]), *map(point, (self.A, self.S, self.T1, self.T2))]
        parts += map(scalar, (self.t, self.tau, self.mu))
        for left, right in zip(inner.left, inner.right, strict=True):
            parts += (point(left), point(right))
        parts += map(scalar, (*inner.a, *inner.b))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> RangeProof:
        """Read `to_bytes`; of any number of rounds. Raises `DecodingError`."""
        if not isinstance(data, bytes):
            raise ParameterError(f"{WHAT} is decoded from bytes, not {type(data).__name__}")
        if not data:
            raise DecodingError(f"{WHAT} does not take 0 bytes")
        layout = LAYOUTS.get(data[0])
        if layout is None:
            raise DecodingError(f"{WHAT} of version {data[0]}, not {_VERSIONS}")
        rounds, rest = divmod(len(data) - layout.fixed_size, _ROUND_SIZE)
        if rest or not 0 <= rounds <= layout.rounds(MAX_SIZE):
            raise DecodingError(f"{WHAT} does not take {len(data)} bytes")
        reader = _Reader(data)
        a, s, t1, t2 = reader.points(4)
        t, tau, mu = reader.scalars(3)
        pairs = reader.points(2 * rounds)
        last_a, last_b = reader.scalars(layout.last), reader.scalars(layout.last)
        inner = InnerProductProof(
            tuple(pairs[0::2]), tuple(pairs[1::2]), tuple(last_a), tuple(last_b)
        )
        return cls(a, s, t1, t2, t, tau, mu, inner, layout.version)


class _Reader:
    """Takes a proof's bytes apart, once their number is right."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 1

    def points(self, count: int) -> list[G1]:
        return list(map(group().decode_g1, self._take(count, G1_SIZE)))

    def scalars(self, count: int) -> list[Scalar]:
        return list(map(group().decode_scalar, self._take(count, SCALAR_SIZE)))

    def _take(self, count: int, size: int) -> list[bytes]:
        start, self._at = self._at, self._at + count * size
        return [self._data[at : at + size] for at in range(start, self._at, size)]
