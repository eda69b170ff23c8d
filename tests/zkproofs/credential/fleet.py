"""One fleet, made once: an authority, robots, a revocation list, and the usual questions."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from zkproofs.credential import (
    AtLeast,
    Attribute,
    Attributes,
    Between,
    Binding,
    Credential,
    Equals,
    Gap,
    Issuer,
    IssuerKey,
    Policy,
    Registration,
    issue,
    request_credential,
    sign_gaps,
)

FLEET = "example.com/huskies"
NOW = 1_900_000_000
EPOCH = 12
REVOKED = (100, 101, 300)
NONCE = bytes(range(16))
BINDING = Binding(NONCE, b"chain 7", b"a transfer")

IS_MEMBER = Equals(Attribute.FLEET, FLEET)
USUAL = Policy(
    (IS_MEMBER, AtLeast(Attribute.LEVEL, 3), AtLeast(Attribute.EXPIRY, NOW)), scope=b"contract 4"
)
"""Level and expiry hidden, with a nullifier."""
EVERYTHING = Policy(
    (Between(Attribute.LEVEL, 3, 9), AtLeast(Attribute.EXPIRY, NOW)),
    (Attribute.ROLE,),
    b"contract 4",
    EPOCH,
)
"""A value shown, ranges of both kinds, a nullifier, and a gap whose fleet is hidden."""
SMALL = Policy((Between(Attribute.LEVEL, 3, 258),), (Attribute.FLEET,), b"contract 4")
"""As little as a range takes: eight bits."""


@dataclass(frozen=True)
class Fleet:
    key: IssuerKey
    gaps: tuple[Gap, ...]
    ann: Credential
    """level 4, robot 200"""
    ben: Credential
    """level 1, robot 201"""
    registration: Registration
    """ann's"""

    @property
    def issuer(self) -> Issuer:
        return self.key.issuer


def enrol(
    key: IssuerKey, robot_id: int, level: int = 4, expiry: int = NOW, fleet: str = FLEET
) -> tuple[Credential, Registration]:
    asking = request_credential(key.issuer, NONCE)
    attributes = Attributes(fleet, "courier", level, expiry, robot_id)
    response, registration = issue(key, asking.request, attributes, NONCE)
    return asking.complete(response), registration


@functools.cache
def fleet() -> Fleet:
    """Of the default backend, and never changed."""
    key = IssuerKey.generate()
    ann, registration = enrol(key, 200)
    ben, _ = enrol(key, 201, level=1)
    return Fleet(key, sign_gaps(key, FLEET, EPOCH, REVOKED), ann, ben, registration)
