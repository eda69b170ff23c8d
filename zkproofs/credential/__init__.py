"""Membership of a fleet, shown without saying which robot it is.

The fleet authority (`Issuer`) signs a robot's attributes together with a secret of the
robot (`issuance`); the robot answers a verifier's `Policy` by a `Presentation`.
``docs/notes/credentials.md`` has the mathematics and an example.
"""

from zkproofs.credential.attributes import Attribute, Attributes, Value
from zkproofs.credential.binding import Binding
from zkproofs.credential.credential import Credential
from zkproofs.credential.issuance import (
    HolderAwaitingResponse,
    HolderRequest,
    IssuerResponse,
    Registration,
    issue,
    reissue,
    request_credential,
    request_reissue,
)
from zkproofs.credential.issuer import Issuer, IssuerKey
from zkproofs.credential.nullifier import Nullifier, nullifier_of
from zkproofs.credential.policy import AtLeast, AtMost, Between, Equals, Policy, Predicate
from zkproofs.credential.presentation import Presentation, presentation_size
from zkproofs.credential.prover import present
from zkproofs.credential.revocation import Gap, find_gap, sign_gaps
from zkproofs.credential.verifier import equations, verify

__all__ = [
    "AtLeast",
    "AtMost",
    "Attribute",
    "Attributes",
    "Between",
    "Binding",
    "Credential",
    "Equals",
    "Gap",
    "HolderAwaitingResponse",
    "HolderRequest",
    "Issuer",
    "IssuerKey",
    "IssuerResponse",
    "Nullifier",
    "Policy",
    "Predicate",
    "Presentation",
    "Registration",
    "Value",
    "equations",
    "find_gap",
    "issue",
    "nullifier_of",
    "present",
    "presentation_size",
    "reissue",
    "request_credential",
    "request_reissue",
    "sign_gaps",
    "verify",
]
