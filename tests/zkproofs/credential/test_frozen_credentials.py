"""What was once issued and presented in version 1 verifies for ever.

The files are never made again. A change of the code under which one of these tests fails
is a change of the format, and gets a version and a file of its own; `DIGESTS` are there so
that nobody makes a file anew together with the code. Presentations in the first file have
range proofs of version 1, those in the second of version 2.
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

FOLDER = Path(__file__).parent
DIGESTS = {
    "frozen_v1.json": "53f55315eb0ffd080a22c7dd75f7cd39c2cb90cf2417992a72167fd388e9832e",
    "frozen_v1_range_v2.json": "9cff264919abbf6d907bb6e9bfbc46ab488feae0dfbeaf89ab6e2c58ae40637f",
}
RANGE_VERSIONS = {"frozen_v1.json": 1, "frozen_v1_range_v2.json": 2}


@pytest.fixture(scope="module", params=DIGESTS)
def name_of_file(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def frozen(name_of_file: str) -> Any:
    return json.loads((FOLDER / name_of_file).read_text("utf-8"))


def test_the_file_is_what_it_was(name_of_file: str) -> None:
    data = (FOLDER / name_of_file).read_bytes()
    assert hashlib.sha256(data).hexdigest() == DIGESTS[name_of_file]


def test_the_range_proofs_are_of_this_version(frozen: Any, name_of_file: str) -> None:
    for name in ("usual", "everything"):
        data = bytes.fromhex(frozen["presentations"][name])
        ranges = Presentation.from_bytes(data, POLICIES[name]).ranges
        assert ranges is not None
        assert ranges.proof.version == RANGE_VERSIONS[name_of_file]


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
