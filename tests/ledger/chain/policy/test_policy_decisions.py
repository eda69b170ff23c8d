"""What the engine decides: every replica the same, and no where anything is in doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.policy import (
    Member,
    PolicyError,
    Quality,
    Recording,
    Use,
    engine,
    read_policy,
    require_engine,
)
from ledger.chain.policy.schema import QUALITIES
from ledger.errors import RefusedError

MEMBER = Member("rescue", 3, "medic", ("iso-13482",))
RECORDING = Recording(
    "episode",
    "yard",
    "example.com/husky",
    "application/mcap",
    ("kind=episode", "site=harbour"),
    ("/camera", "/imu"),
    1_000,
    2_000,
    300_000,
    (Quality("reward_task", 800, 1_000), Quality("length", 5_000, None)),
)
USE = Use("search", 2_600, 12)


def decide(
    body: str, member: Member = MEMBER, recording: Recording = RECORDING, use: Use = USE
) -> bool:
    policy = read_policy(f"permit (principal, action, resource) when {{ {body} }};")
    return policy.allows(member, recording, use)


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ('principal.fleet == "rescue"', True),
        ('principal.fleet == "Rescue"', False),
        ("principal.proven_min_level >= 3", True),
        ("principal.proven_min_level >= 4", False),
        ('principal has role && principal.role == "medic"', True),
        ('principal.certifications.containsAll(["iso-13482"])', True),
        ('principal.certifications.contains("iso")', False),
        ('resource.kind == "episode" && resource.fleet == "yard"', True),
        ('resource.origin like "example.com/*"', True),
        ('resource.origin like "*.org/*"', False),
        ('resource.media_type == "application/mcap"', True),
        ('resource.tags.contains("site=harbour")', True),
        ('resource.topics.containsAny(["/lidar", "/imu"])', True),
        ('resource.topics.containsAll(["/lidar", "/imu"])', False),
        ("resource.start_s == 1000 && resource.end_s == 2000 && resource.size == 300000", True),
        ("resource has reward_task_min && resource.reward_task_min >= 800", True),
        ("resource has reward_task_min && resource.reward_task_min > 800", False),
        ("resource has length_max", False),
        ("resource has reward_self_min", False),
        ('["search", "rescue"].contains(context.purpose)', True),
        ("context.time_s == 2600 && context.age_s == 600", True),
        ("context.price <= 12", True),
        ("context.price < 12", False),
        ("context.price + 9223372036854775807 > 0", False),
        ("context.price * 9223372036854775807 > 0 || true", False),
    ],
)
def test_what_a_policy_sees(body: str, allowed: bool) -> None:
    assert decide(body) is allowed


def test_an_error_denies_even_where_cedar_would_skip_the_rule_that_errs() -> None:
    permit = "permit (principal, action, resource);"
    overflow = "context.price + 9223372036854775807 > 0"
    assert read_policy(permit).allows(MEMBER, RECORDING, USE)
    for erring in (
        f"forbid (principal, action, resource) when {{ {overflow} }};",
        f"permit (principal, action, resource) when {{ {overflow} }};",
    ):
        policy = read_policy(permit + erring)
        assert not policy.allows(MEMBER, RECORDING, USE)
        # Where it does not err, it is as if the rule were not there, or forbids.
        free = replace(USE, price=0)
        assert policy.allows(MEMBER, RECORDING, free) is erring.startswith("permit")


def test_a_forbid_outweighs_every_permit_and_nothing_permits_by_itself() -> None:
    forbid = 'forbid (principal, action, resource) when { context.purpose == "war" };'
    assert not read_policy(forbid).allows(MEMBER, RECORDING, USE)
    both = read_policy(forbid + "permit (principal, action, resource);" * 3)
    assert both.allows(MEMBER, RECORDING, USE)
    assert not both.allows(MEMBER, RECORDING, replace(USE, purpose="war"))


def test_age_and_price_are_kept_in_bounds() -> None:
    assert decide("context.age_s == 0", use=replace(USE, time_s=5))
    long_ago = replace(RECORDING, end_s=-(2**63))
    assert decide("context.age_s == 9223372036854775807", recording=long_ago)
    assert decide("context.price == 9223372036854775807", use=replace(USE, price=2**70))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LONGS = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(Member, TEXTS, LONGS, st.none() | TEXTS, st.lists(TEXTS, max_size=3).map(tuple)),
    st.builds(
        Recording,
        *(TEXTS, TEXTS, TEXTS, TEXTS),
        *(st.lists(TEXTS, min_size=1, max_size=4).map(tuple),) * 2,
        *(LONGS, LONGS, LONGS),
        st.lists(
            st.builds(Quality, st.sampled_from(QUALITIES), st.none() | LONGS, st.none() | LONGS),
            max_size=3,
        ).map(tuple),
    ),
    st.builds(Use, TEXTS, st.integers(0, 2**63 - 1), st.integers(0, 2**64)),
)
def test_whatever_is_said_of_them_cedar_hears_the_same(
    member: Member, recording: Recording, use: Use
) -> None:
    """Whatever letters strangers put into tags, they stay letters."""

    def quoted(text: str) -> str:
        return '"' + "".join(f"\\u{{{ord(letter):x}}}" for letter in text) + '"'

    policy = read_policy(
        "permit (principal, action, resource) when {"
        f" principal.fleet == {quoted(member.fleet)} &&"
        f" resource.kind == {quoted(recording.kind)} &&"
        f" resource.tags.containsAll([{', '.join(map(quoted, recording.tags))}]) &&"
        f" context.purpose == {quoted(use.purpose)} && context.price == {min(use.price, 2**63 - 1)}"
        " };"
    )
    assert policy.allows(member, recording, use)
    assert not policy.allows(member, recording, replace(use, purpose=use.purpose + "x"))


def test_no_quality_has_another_name() -> None:
    with pytest.raises(PolicyError):
        Quality("reward", 1, 2)


def test_a_machine_without_the_chains_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    require_engine(0)
    with pytest.raises(RefusedError, match=r"engine 1, .* \(a newer"):
        require_engine(1)
    for installed, words in ((None, "none"), ("4.13.0", r"4\.13\.0")):
        monkeypatch.setattr(engine, "installed_version", lambda found=installed: found)
        with pytest.raises(RefusedError, match=words):
            require_engine(0)


def test_the_pinned_version_is_the_engine(request: Any) -> None:
    pins = (request.config.rootpath / "constraints.txt").read_text().splitlines()
    assert f"cedarpy=={engine.installed_version()}" in pins
