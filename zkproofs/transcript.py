"""Every challenge of every proof comes from here (draft-irtf-cfrg-fiat-shamir, SHAKE128).

Two layers. The sponge is the draft's, byte for byte:

    session id   = SHAKE128("irtf-cfrg-fiat-shamir/session-id" || 0^136 || tag)[0:32]
    squeeze(n)   = the next n bytes of SHAKE128(session id || 0^136 || all absorbed)
    challenge    = little-endian integer of 48 squeezed bytes, modulo r

`Transcript` is for proofs of several rounds, which the draft leaves to its users. It
absorbs frames, so that no two sequences of messages absorb the same bytes:

    frame        = kind (1 byte) || u32le(len(label)) || label || u32le(len(data)) || data
    kind         = 0 context, 1 bytes, 2 point(s) of G1, 3 scalar(s), 4 u64, 5 challenge

The tag is "QUIPU-ZKPROOFS-V1-TRANSCRIPT:" || protocol, the first frame the caller's
context, the data of u64 is u64be. A challenge absorbs a frame of its label with no data,
is squeezed, and its 48 bytes are absorbed as a second frame.

Whoever proves absorbs the whole statement first, then everything it sends, in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from zkproofs.errors import ParameterError
from zkproofs.group import G1, Scalar, group

SESSION_ID_SIZE: Final = 32
CHALLENGE_SIZE: Final = 48  # Ns + 16: the bias of reducing modulo r is below 2^-128
TAG_PREFIX: Final = b"QUIPU-ZKPROOFS-V1-TRANSCRIPT:"
_SESSION_LABEL: Final = b"irtf-cfrg-fiat-shamir/session-id"
_RATE: Final = 168  # of SHAKE128, in bytes
_LENGTH_LIMIT: Final = 1 << 32


class DuplexSponge:
    """The draft's duplex sponge over SHAKE128, from a 32-byte session id.

    Squeezes in a row continue one stream; absorbing something starts a new one, and
    squeezed bytes are never fed back.
    """

    __slots__ = ("_squeezed", "_state")

    def __init__(self, session_id: bytes) -> None:
        if len(session_id) != SESSION_ID_SIZE:
            raise ParameterError(f"a session id takes {SESSION_ID_SIZE} bytes")
        self._state = hashlib.shake_128(session_id + bytes(_RATE - SESSION_ID_SIZE))
        self._squeezed = 0

    def absorb(self, data: bytes) -> None:
        """Take in ``data``; nothing, if it is empty."""
        if data:
            self._state.update(data)
            self._squeezed = 0

    def squeeze(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start = self._squeezed
        self._squeezed += size
        return self._state.digest(self._squeezed)[start:]

    def challenge(self) -> Scalar:
        """The next challenge; zero with a probability of 2^-255."""
        return decode_challenge(self.squeeze(CHALLENGE_SIZE))


def derive_session_id(tag: bytes) -> bytes:
    """The session id of an application's tag."""
    sponge = DuplexSponge(_SESSION_LABEL)
    sponge.absorb(tag)
    return sponge.squeeze(SESSION_ID_SIZE)


def decode_challenge(data: bytes) -> Scalar:
    """DecodeUint: 48 bytes, little-endian, modulo r."""
    return group().scalar(int.from_bytes(data, "little"))


class _Kind(IntEnum):
    CONTEXT = 0
    BYTES = 1
    POINT = 2
    SCALAR = 3
    U64 = 4
    CHALLENGE = 5


class Transcript:
    """The messages of one proof so far. Prover and verifier build the same one.

    ``protocol`` names the protocol and its version, ``context`` is whatever the caller
    ties the proof to: a chain, a key, an entry. It may be empty, but is always absorbed.
    """

    __slots__ = ("_group", "_sponge")

    def __init__(self, protocol: bytes, context: bytes) -> None:
        if not isinstance(protocol, bytes) or not protocol:
            raise ParameterError("a protocol's name is bytes, and not empty")
        self._group = group()
        self._sponge = DuplexSponge(derive_session_id(TAG_PREFIX + protocol))
        self._absorb(_Kind.CONTEXT, b"", context)

    def append_bytes(self, label: bytes, data: bytes) -> None:
        """Absorb ``data``."""
        self._absorb(_Kind.BYTES, label, data)

    def append_u64(self, label: bytes, value: int) -> None:
        """Absorb a number. Raises `ParameterError` unless 0 <= ``value`` < 2^64."""
        if not isinstance(value, int) or not 0 <= value < 1 << 64:
            raise ParameterError("a number in a transcript is from 0 to 2^64 - 1")
        self._absorb(_Kind.U64, label, value.to_bytes(8, "big"))

    def append_point(self, label: bytes, point: G1) -> None:
        """Absorb a point of G1; the identity too, which to refuse is the verifier's part."""
        self._absorb(_Kind.POINT, label, self._group.encode_g1(point))

    def append_points(self, label: bytes, points: Sequence[G1]) -> None:
        """Absorb any number of points as one message."""
        self._absorb(_Kind.POINT, label, b"".join(map(self._group.encode_g1, points)))

    def append_scalar(self, label: bytes, scalar: Scalar) -> None:
        """Absorb a scalar."""
        self._absorb(_Kind.SCALAR, label, self._group.encode_scalar(scalar))

    def append_scalars(self, label: bytes, scalars: Sequence[Scalar]) -> None:
        """Absorb any number of scalars as one message."""
        self._absorb(_Kind.SCALAR, label, b"".join(map(self._group.encode_scalar, scalars)))

    def challenge(self, label: bytes) -> Scalar:
        """A challenge that depends on all messages so far, and is never zero."""
        self._absorb(_Kind.CHALLENGE, label, b"")
        while True:  # once, but for a probability of 2^-255 each time
            squeezed = self._sponge.squeeze(CHALLENGE_SIZE)
            scalar = decode_challenge(squeezed)
            if int(scalar):
                break
        self._absorb(_Kind.CHALLENGE, label, squeezed)
        return scalar

    def _absorb(self, kind: _Kind, label: bytes, data: bytes) -> None:
        for part in (label, data):
            if not isinstance(part, bytes) or len(part) >= _LENGTH_LIMIT:
                raise ParameterError("labels and messages of a transcript are bytes below 4 GiB")
        if not label and kind is not _Kind.CONTEXT:
            raise ParameterError("a message of a transcript has a label")
        self._sponge.absorb(
            bytes([kind])
            + len(label).to_bytes(4, "little")
            + label
            + len(data).to_bytes(4, "little")
            + data
        )
