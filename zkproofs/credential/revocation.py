"""Emergency revocation by signed gaps.

The issuer sorts the revoked robot ids of a fleet, with 0 before and 2^32 - 1 after them,
and BBS-signs every gap (a, b) between neighbours for the epoch:

    fleet || epoch || a || b       messages 0 .. 3, the fleet hashed as in a credential

A robot that is not revoked lies inside one gap and proves a < robot id < b without saying
which gap or which id. There is nothing to update but the list itself, once an epoch; it is
public. A verifier demands the epoch that it knows to be the newest.

    gap   version (1) || fleet (64) || epoch (8) || a (4) || b (4) || signature (80)   161 bytes
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from zkproofs.bbs import Signature
from zkproofs.bbs.signature import SIGNATURE_SIZE, core_sign, core_verify
from zkproofs.credential.attributes import MAX_NUMBER, Attribute
from zkproofs.credential.encoding import open_version
from zkproofs.credential.issuer import CREDENTIAL_INTERFACE, Issuer, IssuerKey
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import Scalar, group

GAP_VERSION: Final = 1
EPOCH_BITS: Final = 64
_EPOCH_SIZE: Final = EPOCH_BITS // 8
_BOUND_SIZE: Final = 4
_GAP_SIZE: Final = 1 + Attribute.FLEET.size + _EPOCH_SIZE + 2 * _BOUND_SIZE + SIGNATURE_SIZE


class GapMessage(IntEnum):
    """Where a part of a gap stands among its signed messages."""

    FLEET = 0
    EPOCH = 1
    LOW = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """No robot id between ``low`` and ``high`` is revoked in this fleet and epoch.

    Raises `ParameterError` for values that none can have, or bounds with no id between.
    """

    fleet: str
    epoch: int
    low: int
    """a: a revoked id, or 0"""
    high: int
    """b: a revoked id, or 2^32 - 1"""
    signature: Signature

    def __post_init__(self) -> None:
        Attribute.FLEET.check(self.fleet)
        check_epoch(self.epoch)
        for bound in (self.low, self.high):
            if type(bound) is not int or not 0 <= bound <= MAX_NUMBER:
                raise ParameterError("a gap's bound is an integer from 0 to 2^32 - 1")
        if self.high - self.low < 2:
            raise ParameterError("no robot id lies in this gap")

    @property
    def messages(self) -> tuple[Scalar, ...]:
        """All that is signed, in order."""
        return gap_messages(self.fleet, self.epoch, self.low, self.high)

    def verify(self, issuer: Issuer) -> None:
        """Raise `VerificationError` unless ``issuer`` signed this gap."""
        core_verify(issuer.gaps, self.signature, self.messages)

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return (
            bytes([GAP_VERSION])
            + Attribute.FLEET.encode(self.fleet)
            + self.epoch.to_bytes(_EPOCH_SIZE, "big")
            + self.low.to_bytes(_BOUND_SIZE, "big")
            + self.high.to_bytes(_BOUND_SIZE, "big")
            + self.signature.to_bytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Gap:
        """Read `to_bytes`; whether it is signed is for `verify` to say. `DecodingError`."""
        reader = open_version(data, GAP_VERSION, _GAP_SIZE, "a revocation gap")
        fleet = Attribute.FLEET.decode(reader.take(Attribute.FLEET.size))
        epoch, low, high = (
            int.from_bytes(reader.take(size), "big")
            for size in (_EPOCH_SIZE, _BOUND_SIZE, _BOUND_SIZE)
        )
        signature = Signature.from_bytes(reader.take(SIGNATURE_SIZE))
        try:
            return cls(str(fleet), epoch, low, high, signature)
        except ParameterError as error:
            raise DecodingError(error.message) from None


def sign_gaps(key: IssuerKey, fleet: str, epoch: int, revoked: Iterable[int]) -> tuple[Gap, ...]:
    """Sign what remains of a fleet's robot ids in ``epoch``: one signature a gap.

    Raises `ParameterError` for ids that none can have.
    """
    Attribute.FLEET.check(fleet)
    check_epoch(epoch)
    ids = list(revoked)
    for robot_id in ids:
        Attribute.ROBOT_ID.check(robot_id)
    ids = sorted(set(ids))
    gaps = []
    for low, high in zip([0, *ids], [*ids, MAX_NUMBER], strict=True):
        if high - low > 1:
            messages = gap_messages(fleet, epoch, low, high)
            signature = core_sign(key.secret_key, key.issuer.gaps, messages)
            gaps.append(Gap(fleet, epoch, low, high, signature))
    return tuple(gaps)


def find_gap(gaps: Iterable[Gap], robot_id: int) -> Gap:
    """The gap of a list that ``robot_id`` lies in.

    Raises `VerificationError` where it lies in none: it is revoked.
    """
    Attribute.ROBOT_ID.check(robot_id)
    for gap in gaps:
        if gap.low < robot_id < gap.high:
            return gap
    raise VerificationError("the robot id is revoked")


def gap_messages(fleet: str, epoch: int, low: int, high: int) -> tuple[Scalar, ...]:
    """What is signed of a gap."""
    scalar = group().scalar
    return (
        Attribute.FLEET.scalar(fleet, CREDENTIAL_INTERFACE),
        scalar(epoch),
        scalar(low),
        scalar(high),
    )


def check_epoch(epoch: int) -> None:
    """Raise `ParameterError` unless ``epoch`` is one."""
    if type(epoch) is not int or not 0 <= epoch < 1 << EPOCH_BITS:
        raise ParameterError("an epoch is an integer from 0 to 2^64 - 1")
