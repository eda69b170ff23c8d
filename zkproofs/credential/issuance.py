"""How a robot gets its credential, and how it gets the next one.

    robot                                                     issuer
                      <- nonce (16 bytes or more, fresh) --
    nym' fresh, K = nym'·H_nym
    proof of nym', over issuer and nonce
                      -- K, proof ->                          entropy fresh
                                                              Reg = K + entropy·H_nym, kept
                                                              A = B / (SK + e), B with Reg
                      <- attributes, entropy, A, e --
    nym = nym' + entropy; the signature verifies

Without the proof a K could hold attributes too. Neither side chooses nym alone, and the
issuer, who knows nym·H_nym, knows nym no more than any logarithm: it cannot make a
nullifier or a presentation of a robot that it registered. K needs no blinding: nym' is
uniform, and Reg has to be known to the issuer so that it can tell the robot again.

For the next credential K is Reg, the proof one of nym, and entropy is 0. The issuer signs
the very point that it registered, so the nym, and with it every nullifier, stays.

    request        version (1) || K (48) || R (48) || z (32)                      129 bytes
    response       version (1) || attributes (140) || entropy (32) || A, e (80)   253 bytes
    registration   version (1) || fleet (64) || robot id (4) || Reg (48)          117 bytes
    awaiting       version (1) || nym' (32) || request (129)                      162 bytes

R, z is a `zkproofs.sigma` proof in batchable form under the protocol's name
"QUIPU-FLEET-CREDENTIAL-REQUEST-V1" || api_id || W || u32be(len(nonce)) || nonce.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.bbs import Signature
from zkproofs.bbs.signature import SIGNATURE_SIZE, complete
from zkproofs.credential.attributes import (
    ATTRIBUTES_SIZE,
    Attribute,
    Attributes,
    decode_values,
    encode_values,
)
from zkproofs.credential.binding import check_nonce
from zkproofs.credential.credential import Credential
from zkproofs.credential.encoding import open_version
from zkproofs.credential.issuer import NYM_INDEX, Issuer, IssuerKey
from zkproofs.errors import DecodingError, IssuanceError, ParameterError, VerificationError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group
from zkproofs.linear_relation import LinearRelation
from zkproofs.sigma import BatchableProof, prove, verify

ISSUANCE_VERSION: Final = 1
REQUEST_TAG: Final = b"QUIPU-FLEET-CREDENTIAL-REQUEST-V1"
_PROOF_SIZE: Final = G1_SIZE + SCALAR_SIZE
_REQUEST_SIZE: Final = 1 + G1_SIZE + _PROOF_SIZE
_RESPONSE_SIZE: Final = 1 + ATTRIBUTES_SIZE + SCALAR_SIZE + SIGNATURE_SIZE
_AWAITING_SIZE: Final = 1 + SCALAR_SIZE + _REQUEST_SIZE
_REGISTERED: Final = (Attribute.FLEET, Attribute.ROBOT_ID)
_REGISTERED_SIZE: Final = sum(attribute.size for attribute in _REGISTERED)
_REGISTRATION_SIZE: Final = 1 + _REGISTERED_SIZE + G1_SIZE


@dataclass(frozen=True, slots=True)
class HolderRequest:
    """What a robot sends to the issuer: K, and a proof that it knows the nym in it."""

    commitment: G1
    """K"""
    proof: BatchableProof

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return (
            bytes([ISSUANCE_VERSION]) + group().encode_g1(self.commitment) + self.proof.to_bytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes, issuer: Issuer) -> HolderRequest:
        """Read a request to ``issuer``. Raises `DecodingError`."""
        reader = open_version(data, ISSUANCE_VERSION, _REQUEST_SIZE, "a credential request")
        commitment = group().decode_g1(reader.take(G1_SIZE))
        proof = BatchableProof.from_bytes(reader.take(_PROOF_SIZE), _relation(issuer, commitment))
        return cls(commitment, proof)

    def verify(self, issuer: Issuer, nonce: bytes) -> None:
        """Raise `VerificationError` unless it was made for this issuer and nonce."""
        if self.commitment == group().g1_identity:
            raise VerificationError("a commitment to a nym is the identity")
        verify(_protocol(issuer, nonce), _relation(issuer, self.commitment), self.proof)


@dataclass(frozen=True, slots=True, repr=False)
class IssuerResponse:
    """What the issuer answers. Only the robot that asked can use it."""

    attributes: Attributes
    entropy: Scalar
    """the issuer's share of the nym; zero in a re-issue"""
    signature: Signature

    def __repr__(self) -> str:
        return f"IssuerResponse({self.attributes}, <secret>)"

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return (
            bytes([ISSUANCE_VERSION])
            + self.attributes.to_bytes()
            + group().encode_scalar(self.entropy)
            + self.signature.to_bytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> IssuerResponse:
        """Read `to_bytes`. Raises `DecodingError`."""
        reader = open_version(data, ISSUANCE_VERSION, _RESPONSE_SIZE, "an issuer's response")
        attributes = Attributes.from_bytes(reader.take(ATTRIBUTES_SIZE))
        entropy = group().decode_scalar(reader.take(SCALAR_SIZE))
        return cls(attributes, entropy, Signature.from_bytes(reader.take(SIGNATURE_SIZE)))


@dataclass(frozen=True, slots=True)
class Registration:
    """What the issuer keeps of a robot, as safe from changes as its key."""

    fleet: str
    robot_id: int
    point: G1
    """Reg = nym·H_nym"""

    def __post_init__(self) -> None:
        Attribute.FLEET.check(self.fleet)
        Attribute.ROBOT_ID.check(self.robot_id)

    def to_bytes(self) -> bytes:
        """Write the layout above."""
        return (
            bytes([ISSUANCE_VERSION])
            + encode_values(_REGISTERED, (self.fleet, self.robot_id))
            + group().encode_g1(self.point)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Registration:
        """Read `to_bytes`. Raises `DecodingError`."""
        reader = open_version(data, ISSUANCE_VERSION, _REGISTRATION_SIZE, "a registration")
        fleet, robot_id = decode_values(_REGISTERED, reader.take(_REGISTERED_SIZE))
        return cls(str(fleet), int(robot_id), group().decode_g1(reader.take(G1_SIZE)))


class HolderAwaitingResponse:
    """A robot that has asked: `request` is what to send, `complete` takes the answer.

    It holds the robot's share of the nym, which nothing else does until then.
    """

    __slots__ = ("_issuer", "_renewed", "_share", "request")

    def __init__(
        self, issuer: Issuer, share: Scalar, request: HolderRequest, renewed: Credential | None
    ) -> None:
        self._issuer = issuer
        self._share = share
        self._renewed = renewed
        self.request = request

    def __repr__(self) -> str:
        return "HolderAwaitingResponse(<secret>)"

    def to_bytes(self) -> bytes:
        """Write the layout above, for a file that waits for the answer: secret."""
        share = group().encode_scalar(self._share)
        return bytes([ISSUANCE_VERSION]) + share + self.request.to_bytes()

    @classmethod
    def from_bytes(
        cls, data: bytes, issuer: Issuer, renewed: Credential | None = None
    ) -> HolderAwaitingResponse:
        """Read `to_bytes`; ``renewed`` is the credential before, in a re-issue. `DecodingError`."""
        reader = open_version(data, ISSUANCE_VERSION, _AWAITING_SIZE, "a robot's request")
        share = group().decode_scalar(reader.take(SCALAR_SIZE))
        request = HolderRequest.from_bytes(reader.take(_REQUEST_SIZE), issuer)
        if issuer.nym_point * share != request.commitment:
            raise DecodingError("a request is not of the share that it was kept with")
        return cls(issuer, share, request, renewed)

    def complete(self, response: IssuerResponse) -> Credential:
        """The credential. Raises `VerificationError` unless the issuer signed it.

        In a re-issue also for a nym that is not the one before.
        """
        nym = self._share + response.entropy
        if self._renewed is not None and nym != self._renewed.nym:
            raise VerificationError("the issuer has changed the nym")
        credential = Credential(self._issuer, response.attributes, nym, response.signature)
        credential.verify()
        return credential


def request_credential(issuer: Issuer, nonce: bytes) -> HolderAwaitingResponse:
    """Ask for a robot's first credential. ``nonce`` is the issuer's, 16 bytes or more."""
    return _request(issuer, group().random_scalar(), nonce, None)


def request_reissue(credential: Credential, nonce: bytes) -> HolderAwaitingResponse:
    """Ask for another credential of the same nym."""
    return _request(credential.issuer, credential.nym, nonce, credential)


def issue(
    key: IssuerKey, request: HolderRequest, attributes: Attributes, nonce: bytes
) -> tuple[IssuerResponse, Registration]:
    """Sign a robot's first credential; the answer, and what to keep.

    Who asks, and that a robot id is given out once, is for the caller to know. Raises
    `VerificationError` if the request's proof does not verify.
    """
    request.verify(key.issuer, nonce)
    entropy = group().random_scalar()
    registered = request.commitment + key.issuer.nym_point * entropy
    if registered == group().g1_identity:  # with a probability of 2^-255
        raise IssuanceError("the shares of the nym add up to zero")
    registration = Registration(attributes.fleet, attributes.robot_id, registered)
    return IssuerResponse(attributes, entropy, _sign(key, attributes, registered)), registration


def reissue(
    key: IssuerKey,
    registration: Registration,
    request: HolderRequest,
    attributes: Attributes,
    nonce: bytes,
) -> IssuerResponse:
    """Sign another credential of a registered robot; its nullifiers stay what they were.

    Raises `IssuanceError` for another nym, fleet or robot id than the registered one,
    and `VerificationError` if the request's proof does not verify.
    """
    if (attributes.fleet, attributes.robot_id) != (registration.fleet, registration.robot_id):
        raise IssuanceError("another robot is registered under this nym")
    if request.commitment != registration.point:
        raise IssuanceError("the request is for another nym than the registered one")
    request.verify(key.issuer, nonce)
    zero = group().scalar(0)
    return IssuerResponse(attributes, zero, _sign(key, attributes, registration.point))


def _request(
    issuer: Issuer, share: Scalar, nonce: bytes, renewed: Credential | None
) -> HolderAwaitingResponse:
    commitment = issuer.nym_point * share
    proof = prove(_protocol(issuer, nonce), _relation(issuer, commitment), [share])
    return HolderAwaitingResponse(issuer, share, HolderRequest(commitment, proof), renewed)


def _sign(key: IssuerKey, attributes: Attributes, registered: G1) -> Signature:
    domain = key.issuer.credentials
    scalars = attributes.scalars(domain.interface)
    # B = P1 + domain·Q_1 + Σ attributeᵢ·Hᵢ + Reg, e = hash_to_scalar(SK || B)
    backend = group()
    b = domain.anchor + backend.msm(domain.message_points[:NYM_INDEX], scalars) + registered
    return complete(key.secret_key, domain, b, key.secret_key.to_bytes() + backend.encode_g1(b))


def _relation(issuer: Issuer, commitment: G1) -> LinearRelation:
    """K = nym'·H_nym."""
    return LinearRelation.of((commitment, [(0, issuer.nym_point)]))


def _protocol(issuer: Issuer, nonce: bytes) -> bytes:
    check_nonce(nonce)
    if not isinstance(issuer, Issuer):
        raise ParameterError("a credential is asked of an issuer")
    domain = issuer.credentials
    size = len(nonce).to_bytes(4, "big")
    return REQUEST_TAG + domain.interface.api_id + issuer.to_bytes() + size + nonce
