"""Issuance: request, response, credential; and the next credential of the same nym."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.zkproofs.credential.fleet import FLEET, NONCE, NOW, enrol, fleet
from zkproofs import sigma
from zkproofs.bbs import Signature
from zkproofs.bbs.signature import core_sign
from zkproofs.credential import (
    Attributes,
    Credential,
    HolderAwaitingResponse,
    HolderRequest,
    Issuer,
    IssuerKey,
    IssuerResponse,
    Registration,
    issuance,
    issue,
    nullifier_of,
    reissue,
    request_credential,
    request_reissue,
)
from zkproofs.errors import (
    DecodingError,
    IssuanceError,
    ParameterError,
    ProofError,
    VerificationError,
)
from zkproofs.group import group
from zkproofs.linear_relation import LinearRelation

ATTRIBUTES = Attributes(FLEET, "courier", 4, NOW, 200)


def test_a_robot_gets_its_credential_over_bytes() -> None:
    key = fleet().key
    issuer = Issuer.from_bytes(key.issuer.to_bytes())
    asking = request_credential(issuer, NONCE)
    sent = asking.request.to_bytes()
    response, registration = issue(key, HolderRequest.from_bytes(sent, issuer), ATTRIBUTES, NONCE)
    credential = asking.complete(IssuerResponse.from_bytes(response.to_bytes()))
    credential.verify()
    assert credential.attributes == ATTRIBUTES
    assert (len(sent), len(response.to_bytes())) == (129, 253)
    assert registration.point == issuer.nym_point * credential.nym


def test_all_that_is_kept_comes_back_from_its_bytes() -> None:
    key, ann, registration = fleet().key, fleet().ann, fleet().registration
    assert Credential.from_bytes(ann.to_bytes(), key.issuer) == ann
    assert Registration.from_bytes(registration.to_bytes()) == registration
    assert IssuerKey.from_bytes(key.to_bytes()).issuer.to_bytes() == key.issuer.to_bytes()
    assert (len(ann.to_bytes()), len(registration.to_bytes())) == (253, 117)


def test_a_request_that_waits_in_a_file_is_completed_from_there() -> None:
    key, ann = fleet().key, fleet().ann
    kept = request_credential(key.issuer, NONCE).to_bytes()
    asking = HolderAwaitingResponse.from_bytes(kept, key.issuer)
    assert asking.to_bytes() == kept
    response, registration = issue(key, asking.request, ATTRIBUTES, NONCE)
    credential = asking.complete(response)
    assert registration.point == key.issuer.nym_point * credential.nym
    # A re-issue holds the issuer to the nym before, also from there.
    renewal = request_reissue(ann, NONCE).to_bytes()
    again = HolderAwaitingResponse.from_bytes(renewal, key.issuer, ann)
    with pytest.raises(VerificationError, match="changed the nym"):
        again.complete(issue(key, again.request, ATTRIBUTES, NONCE)[0])
    for at in (0, 1, 33, 161):
        spoilt = kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :]
        with pytest.raises(ProofError):
            HolderAwaitingResponse.from_bytes(spoilt, key.issuer).request.verify(key.issuer, NONCE)
    with pytest.raises(DecodingError):
        HolderAwaitingResponse.from_bytes(kept + b"\0", key.issuer)


def test_the_nym_is_of_both_and_neither_chooses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    key = fleet().key
    asking = request_credential(key.issuer, NONCE)
    # Even the same share does not give the same nym: two robots cannot agree to be one.
    first, _ = issue(key, asking.request, ATTRIBUTES, NONCE)
    second, _ = issue(key, asking.request, ATTRIBUTES, NONCE)
    assert asking.complete(first).nym != asking.complete(second).nym
    assert int(first.entropy)


def test_a_reissue_keeps_the_nym_and_every_nullifier() -> None:
    key, ann = fleet().key, fleet().ann
    asking = request_reissue(ann, NONCE)
    later = replace(ATTRIBUTES, expiry=NOW + 1000, level=5)
    response = reissue(key, fleet().registration, asking.request, later, NONCE)
    renewed = asking.complete(response)
    assert renewed.attributes == later
    assert renewed.signature != ann.signature
    for scope in (b"one", b"another"):
        assert nullifier_of(renewed, scope) == nullifier_of(ann, scope)


def test_a_reissue_takes_the_registered_nym_only() -> None:
    key, ann, ben, registration = fleet().key, fleet().ann, fleet().ben, fleet().registration
    # A fresh nym would reset the uses of every contract.
    with pytest.raises(IssuanceError, match="nym"):
        reissue(key, registration, request_credential(key.issuer, NONCE).request, ATTRIBUTES, NONCE)
    with pytest.raises(IssuanceError, match="nym"):
        reissue(key, registration, request_reissue(ben, NONCE).request, ATTRIBUTES, NONCE)
    asking = request_reissue(ann, NONCE).request
    for other in (replace(ATTRIBUTES, robot_id=201), replace(ATTRIBUTES, fleet="other")):
        with pytest.raises(IssuanceError, match="another robot"):
            reissue(key, registration, asking, other, NONCE)


def test_a_reissue_is_of_use_to_the_holder_only() -> None:
    key, ann = fleet().key, fleet().ann
    thief = request_reissue(fleet().ben, NONCE)
    response = reissue(
        key, fleet().registration, request_reissue(ann, NONCE).request, ATTRIBUTES, NONCE
    )
    with pytest.raises(VerificationError):
        thief.complete(response)


def test_an_issuer_that_changes_the_nym_is_found_out() -> None:
    key, ann = fleet().key, fleet().ann
    asking = request_reissue(ann, NONCE)
    entropy = group().scalar(5)
    moved = fleet().registration.point + key.issuer.nym_point * entropy
    response = IssuerResponse(ATTRIBUTES, entropy, issuance._sign(key, ATTRIBUTES, moved))
    with pytest.raises(VerificationError, match="changed the nym"):
        asking.complete(response)


def test_who_does_not_know_the_nym_cannot_ask() -> None:
    key, ann, registration = fleet().key, fleet().ann, fleet().registration
    other = request_credential(key.issuer, NONCE).request
    stolen = replace(other, commitment=registration.point)
    with pytest.raises(VerificationError):
        reissue(key, registration, stolen, ATTRIBUTES, NONCE)
    # An answered request is no proof for the next nonce.
    with pytest.raises(VerificationError):
        reissue(key, registration, request_reissue(ann, NONCE).request, ATTRIBUTES, bytes(16))


def test_a_commitment_that_holds_attributes_is_refused() -> None:
    """Without the proof of knowledge, K = nym·H_nym + 5·H_level would raise the level by 5."""
    key = fleet().key
    nym = group().random_scalar()
    level = key.issuer.credentials.message_points[2]
    commitment = key.issuer.nym_point * nym + level * group().scalar(5)
    relation = LinearRelation.of((commitment, [(0, key.issuer.nym_point)]))
    proof = sigma.prove(issuance._protocol(key.issuer, NONCE), relation, [nym])
    with pytest.raises(VerificationError):
        issue(key, HolderRequest(commitment, proof), ATTRIBUTES, NONCE)
    # What it would have been good for, had the issuer signed it unseen:
    signature = issuance._sign(key, ATTRIBUTES, commitment)
    Credential(key.issuer, replace(ATTRIBUTES, level=9), nym, signature).verify()


@pytest.mark.parametrize("other", ["issuer", "nonce", "identity"])
def test_a_request_is_for_one_issuer_and_nonce(other: str) -> None:
    key = fleet().key
    request = request_credential(key.issuer, NONCE).request
    nonce = bytes(16) if other == "nonce" else NONCE
    if other == "issuer":
        key = IssuerKey.generate()
    if other == "identity":
        request = replace(request, commitment=group().g1_identity)
    with pytest.raises(VerificationError):
        issue(key, request, ATTRIBUTES, nonce)


@pytest.mark.parametrize("nonce", [b"", bytes(15), "x" * 16, None])
def test_a_nonce_is_of_16_bytes_or_more(nonce: Any) -> None:
    with pytest.raises(ParameterError, match="nonce"):
        request_credential(fleet().issuer, nonce)


def test_an_answer_for_another_is_refused() -> None:
    key = fleet().key
    asking, other = request_credential(key.issuer, NONCE), request_credential(key.issuer, NONCE)
    response, _ = issue(key, asking.request, ATTRIBUTES, NONCE)
    wrong = [
        replace(response, attributes=replace(ATTRIBUTES, level=5)),
        replace(response, entropy=response.entropy + group().scalar(1)),
        replace(response, signature=fleet().ann.signature),
        replace(response, signature=replace(response.signature, a=-response.signature.a)),
    ]
    for each in wrong:
        with pytest.raises(VerificationError):
            asking.complete(each)
    with pytest.raises(VerificationError):
        other.complete(response)


def test_signatures_of_one_interface_are_none_of_another() -> None:
    key, ann = fleet().key, fleet().ann
    messages = ann.messages[:4]
    signature = core_sign(key.secret_key, key.issuer.gaps, messages)
    with pytest.raises(VerificationError):
        replace(ann, signature=signature).verify()
    with pytest.raises(VerificationError):
        replace(fleet().gaps[0], signature=ann.signature).verify(key.issuer)


READERS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "request": (
        lambda: request_credential(fleet().issuer, NONCE).request.to_bytes(),
        lambda data: HolderRequest.from_bytes(data, fleet().issuer).verify(fleet().issuer, NONCE),
    ),
    "response": (
        lambda: IssuerResponse(ATTRIBUTES, group().scalar(5), fleet().ann.signature).to_bytes(),
        lambda data: IssuerResponse.from_bytes(data),
    ),
    "registration": (
        lambda: fleet().registration.to_bytes(),
        lambda data: Registration.from_bytes(data),
    ),
    "credential": (
        lambda: fleet().ann.to_bytes(),
        lambda data: Credential.from_bytes(data, fleet().issuer).verify(),
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_other_bytes_are_refused(kind: str) -> None:
    make, read = READERS[kind]
    data = make()
    read(data)
    for wrong in (b"", data[:-1], data + b"\0", b"\0" + data[1:], b"\x02" + data[1:]):
        with pytest.raises(DecodingError):
            read(wrong)
    refused = 0
    for at in range(len(data)):
        try:
            read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        except (DecodingError, VerificationError):
            refused += 1
    # What is signed or proven is refused wherever it is touched.
    assert refused == len(data) or kind in ("response", "registration")


def test_secrets_do_not_show_themselves() -> None:
    key, ann = fleet().key, fleet().ann
    asking = request_credential(key.issuer, NONCE)
    response, _ = issue(key, asking.request, ATTRIBUTES, NONCE)
    nym = int(ann.nym)
    for secret in (key, ann, asking, response):
        text = repr(secret) + str(secret)
        assert "secret" in text
        for value in (nym, int(key.secret_key.scalar), int(asking._share), int(response.entropy)):
            assert str(value) not in text
            assert f"{value:x}" not in text
    with pytest.raises(ProofError) as caught:
        replace(ann, signature=Signature(-ann.signature.a, ann.signature.e)).verify()
    assert str(nym) not in str(caught.value)


def test_two_robots_have_two_nyms() -> None:
    key = fleet().key
    credentials = [enrol(key, robot_id)[0] for robot_id in (5, 6)]
    assert len({int(credential.nym) for credential in credentials}) == 2
