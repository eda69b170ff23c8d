"""What the rest of the kit knows of BLS12-381: elements, and the operations on them.

Three groups of one prime order r, written additively but for the last, and a pairing
e: G1 x G2 -> GT. An element is native to its backend, so that ``+`` costs what the
backend's addition costs; elements of two backends never meet. They cross as bytes.

    point * scalar      never scalar * point, never a bare int
    point + point, point - point, -point
    scalar + scalar, scalar - scalar, scalar * scalar, -scalar, int(scalar)
    gt * gt

The four kinds are classes rather than protocols, since by their operators alone a
type checker could not tell a point of G1 from one of G2, or from a scalar. A backend
derives from them or registers with them. All have ``==`` and ``hash``.

Anything else the backend's objects can do is not part of the interface: in
particular ``+`` and ``-`` on py-arkworks's GT are those of the field around it. Mixing
kinds in an operator raises ``TypeError``, as Python has it.

None of this is constant-time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Protocol, Self

from zkproofs.group.expand import Expander

ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""r, the prime order of G1, G2 and GT."""


class Scalar(ABC):
    """An integer modulo r."""

    __slots__ = ()

    @abstractmethod
    def __add__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __sub__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __mul__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __neg__(self) -> Self: ...
    @abstractmethod
    def __int__(self) -> int: ...


class G1(ABC):
    """A point of the subgroup of order r of E(Fp)."""

    __slots__ = ()

    @abstractmethod
    def __add__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __sub__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __mul__(self, scalar: Scalar, /) -> Self: ...
    @abstractmethod
    def __neg__(self) -> Self: ...


class G2(ABC):
    """A point of the subgroup of order r of E'(Fp2)."""

    __slots__ = ()

    @abstractmethod
    def __add__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __sub__(self, other: Self, /) -> Self: ...
    @abstractmethod
    def __mul__(self, scalar: Scalar, /) -> Self: ...
    @abstractmethod
    def __neg__(self) -> Self: ...


class GT(ABC):
    """An element of the target group. It has no encoding: it never leaves a process."""

    __slots__ = ()

    @abstractmethod
    def __mul__(self, other: Self, /) -> Self: ...


class Group(Protocol):
    """A backend. All of them give the same bytes for the same computation."""

    @property
    def name(self) -> str:
        """The backend's name, as `using` takes it."""
        ...

    @property
    def g1(self) -> G1:
        """The standard generator of G1."""
        ...

    @property
    def g2(self) -> G2:
        """The standard generator of G2."""
        ...

    @property
    def g1_identity(self) -> G1:
        """The neutral element of G1."""
        ...

    @property
    def g2_identity(self) -> G2:
        """The neutral element of G2."""
        ...

    def scalar(self, value: int) -> Scalar:
        """``value`` modulo r; any integer, negative ones too."""
        ...

    def random_scalar(self) -> Scalar:
        """A fresh scalar, uniform among 1 .. r-1, from the operating system."""
        ...

    def inverse(self, scalar: Scalar) -> Scalar:
        """1 / ``scalar``. Raises `ParameterError` for zero."""
        ...

    def encode_scalar(self, scalar: Scalar) -> bytes:
        """32 bytes, big-endian."""
        ...

    def decode_scalar(self, data: bytes) -> Scalar:
        """Read 32 big-endian bytes. Raises `DecodingError` unless they are below r."""
        ...

    def encode_g1(self, point: G1) -> bytes:
        """48 bytes, the compressed encoding of zcash."""
        ...

    def decode_g1(self, data: bytes, *, allow_identity: bool = False) -> G1:
        """Read 48 bytes. Raises `DecodingError` unless canonical and in the subgroup.

        The identity is refused as well, unless ``allow_identity``.
        """
        ...

    def encode_g2(self, point: G2) -> bytes:
        """96 bytes, the compressed encoding of zcash."""
        ...

    def decode_g2(self, data: bytes, *, allow_identity: bool = False) -> G2:
        """Read 96 bytes; as strict as `decode_g1`."""
        ...

    def msm(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        """The sum of pointᵢ * scalarᵢ; of nothing, the identity.

        Raises `ParameterError` where the lengths differ.
        """
        ...

    def msm_public(self, points: Sequence[G1], scalars: Sequence[Scalar]) -> G1:
        """`msm`, where time may tell of the scalars: a verifier's, who has no secrets."""
        ...

    def msm_g2(self, points: Sequence[G2], scalars: Sequence[Scalar]) -> G2:
        """The same sum in G2."""
        ...

    def map_to_g1(self, element: int) -> G1:
        """RFC 9380 map_to_curve (SSWU, isogeny) and clear_cofactor of one element of Fp.

        Raises `ParameterError` unless 0 <= ``element`` < p.
        """
        ...

    def map_to_g2(self, element: tuple[int, int]) -> G2:
        """The same map of one element c0 + c1·u of Fp2."""
        ...

    def hash_to_g1(
        self, message: bytes, dst: bytes, expander: Expander = Expander.XMD_SHA256
    ) -> G1:
        """RFC 9380 hash_to_curve, suite BLS12381G1_<expander>_SSWU_RO_.

        ``dst`` is the whole domain separation tag; `ParameterError` if it is empty.
        """
        ...

    def hash_to_g2(
        self, message: bytes, dst: bytes, expander: Expander = Expander.XMD_SHA256
    ) -> G2:
        """RFC 9380 hash_to_curve, suite BLS12381G2_<expander>_SSWU_RO_."""
        ...

    def pairing(self, p: G1, q: G2) -> GT:
        """e(p, q)."""
        ...

    def pairing_product_is_one(self, pairs: Sequence[tuple[G1, G2]]) -> bool:
        """Whether the product of e(pᵢ, qᵢ) is one; `ParameterError` for no pairs."""
        ...
