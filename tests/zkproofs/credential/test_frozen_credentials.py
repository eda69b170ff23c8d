"""What was once issued and presented in version 1 verifies for ever.

``frozen_v1.json`` is never made again. A change of the code under which one of these
tests fails is a change of the format, and gets a version and a file of its own;
`DIGEST` is there so that nobody makes the file anew together with the code.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.zkproofs.credential.fleet import BINDING, FLEET, NONCE, NOW
from tests.zkproofs.credential.generate_frozen import POLICIES, make
from zkproofs.credential import (
    Attributes,
    Credential,
    Gap,
    HolderRequest,
    Issuer,
    IssuerResponse,
    Presentation,
    Registration,
    nullifier_of,
    verify,
)
from zkproofs.group import group

FILE = Path(__file__).with_name("frozen_v1.json")
DIGEST = "53f55315eb0ffd080a22c7dd75f7cd39c2cb90cf2417992a72167fd388e9832e"


@pytest.fixture(scope="module")
def frozen() -> Any:
    return json.loads(FILE.read_text("utf-8"))


def test_the_file_is_what_it_was() -> None:
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == DIGEST


@pytest.mark.parametrize("name", POLICIES)
def test_old_presentations_verify(frozen: Any, name: str) -> None:
    policy, data = POLICIES[name], bytes.fromhex(frozen["presentations"][name])
    issuer = Issuer.from_bytes(bytes.fromhex(frozen["issuer"]))
    presentation = Presentation.from_bytes(data, policy)
    verify(presentation, issuer, policy, BINDING)
    assert presentation.to_bytes(policy) == data
    credential = Credential.from_bytes(bytes.fromhex(frozen["credential"]), issuer)
    if policy.scope is not None:
        assert presentation.nullifier == nullifier_of(credential, policy.scope)


def test_old_credentials_requests_and_gaps_are_good(frozen: Any) -> None:
    issuer = Issuer.from_bytes(bytes.fromhex(frozen["issuer"]))
    credential = Credential.from_bytes(bytes.fromhex(frozen["credential"]), issuer)
    credential.verify()
    assert credential.attributes == Attributes(FLEET, "courier", 4, NOW, 200)
    HolderRequest.from_bytes(bytes.fromhex(frozen["request"]), issuer).verify(issuer, NONCE)
    response = IssuerResponse.from_bytes(bytes.fromhex(frozen["response"]))
    assert response.signature == credential.signature
    registration = Registration.from_bytes(bytes.fromhex(frozen["registration"]))
    assert registration.point == issuer.nym_point * credential.nym
    Gap.from_bytes(bytes.fromhex(frozen["gap"])).verify(issuer)


def test_the_generator_makes_files_of_the_same_form(frozen: Any) -> None:
    made: Any = make()
    assert made.keys() == frozen.keys()
    assert made["issuer"] == frozen["issuer"]
    assert made["presentations"].keys() == frozen["presentations"].keys()
    for name, data in made["presentations"].items():
        assert len(data) == len(frozen["presentations"][name])


def test_generators_and_scopes_are_the_published_ones(frozen: Any) -> None:
    """Points that all old signatures and nullifiers rest on, by their digest."""
    issuer = Issuer.from_bytes(bytes.fromhex(frozen["issuer"]))
    points = [*issuer.credentials.message_points, *issuer.gaps.message_points]
    encoded = b"".join(map(group().encode_g1, points))
    assert (
        hashlib.sha256(encoded).hexdigest()
        == "6183891bc9a414aec78988520bf78ec08e8214a68872cdac9ce1e94e71fe5eea"
    )
