"""Revocation: the gaps between revoked robots, and what they are good for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.credential.fleet import (
    BINDING,
    EPOCH,
    FLEET,
    IS_MEMBER,
    NOW,
    REVOKED,
    enrol,
    fleet,
)
from zkproofs.credential import (
    Attribute,
    Gap,
    IssuerKey,
    Policy,
    Presentation,
    find_gap,
    present,
    prover,
    sign_gaps,
    verify,
)
from zkproofs.errors import DecodingError, ParameterError, VerificationError

TOP = 2**32 - 1
NOT_REVOKED = Policy(epoch=EPOCH)
MEMBER_NOT_REVOKED = Policy((IS_MEMBER,), epoch=EPOCH)
both = pytest.mark.parametrize("policy", [NOT_REVOKED, MEMBER_NOT_REVOKED])


def test_gaps_lie_between_revoked_robots() -> None:
    gaps = fleet().gaps
    assert [(gap.low, gap.high) for gap in gaps] == [(0, 100), (101, 300), (300, TOP)]
    for gap in gaps:
        gap.verify(fleet().issuer)
        assert Gap.from_bytes(gap.to_bytes()) == gap
        assert len(gap.to_bytes()) == 161


def test_without_revoked_robots_there_is_one_gap() -> None:
    (gap,) = sign_gaps(fleet().key, FLEET, 0, [])
    assert (gap.low, gap.high) == (0, TOP)


@settings(max_examples=15, deadline=None)
@given(st.sets(st.sampled_from([1, 2, 3, 50, 51, 52, TOP - 2, TOP - 1])))
def test_each_robot_has_a_gap_or_is_revoked(revoked: set[int]) -> None:
    gaps = sign_gaps(fleet().key, FLEET, EPOCH, revoked)
    for robot_id in (1, 2, 3, 4, 49, 50, 51, 52, 53, TOP - 3, TOP - 2, TOP - 1):
        if robot_id in revoked:
            with pytest.raises(VerificationError, match="revoked"):
                find_gap(gaps, robot_id)
        else:
            gap = find_gap(gaps, robot_id)
            assert gap.low < robot_id < gap.high


@pytest.mark.parametrize("robot_id", [0, TOP, -1, "5", None])
def test_only_robot_ids_are_revoked(robot_id: Any) -> None:
    with pytest.raises(ParameterError):
        sign_gaps(fleet().key, FLEET, EPOCH, [5, robot_id])


@pytest.mark.parametrize("epoch", [-1, 1 << 64, 1.0, None])
def test_an_epoch_takes_64_bits(epoch: Any) -> None:
    with pytest.raises(ParameterError):
        sign_gaps(fleet().key, FLEET, epoch, [])


def test_other_bytes_are_no_gap() -> None:
    gap = fleet().gaps[0]
    data = gap.to_bytes()
    bounds = 1 + 64 + 8
    for wrong in (
        b"",
        data[:-1],
        data + b"\0",
        b"\x02" + data[1:],
        data[:bounds] + data[bounds + 4 : bounds + 8] * 2 + data[bounds + 8 :],
    ):
        with pytest.raises(DecodingError):
            Gap.from_bytes(wrong)
    for at in range(len(data)):
        with pytest.raises((DecodingError, VerificationError)):
            Gap.from_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).verify(
                fleet().issuer
            )


@both
def test_a_robot_in_a_gap_shows_neither_gap_nor_robot(policy: Policy) -> None:
    sizes = set()
    for robot_id in (1, 99, 102, 299, 301, TOP - 1):
        robot, _ = enrol(fleet().key, robot_id)
        gap = find_gap(fleet().gaps, robot_id)
        data = present(robot, policy, BINDING, gap).to_bytes(policy)
        verify(Presentation.from_bytes(data, policy), fleet().issuer, policy, BINDING)
        sizes.add(len(data))
    assert len(sizes) == 1


@both
@pytest.mark.parametrize("robot_id", REVOKED)
def test_a_revoked_robot_lies_in_no_gap(policy: Policy, robot_id: int) -> None:
    robot, _ = enrol(fleet().key, robot_id)
    for gap in fleet().gaps:
        with pytest.raises(ParameterError, match="outside its interval"):
            present(robot, policy, BINDING, gap)


def refuse_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that does not check what it presents; the verifier has to."""
    monkeypatch.setattr(prover, "_check_meets", lambda credential, policy, gap: None)


@both
def test_a_gap_of_an_old_epoch_is_refused(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = fleet().ann
    old = find_gap(sign_gaps(fleet().key, FLEET, EPOCH - 1, []), ann.attributes.robot_id)
    with pytest.raises(ParameterError, match="another epoch"):
        present(ann, policy, BINDING, old)
    refuse_to_check(monkeypatch)
    # As it is; with the new epoch written over the old; and proven for the old one.
    then = replace(policy, epoch=EPOCH - 1)
    for presentation in (
        present(ann, policy, BINDING, old),
        present(ann, policy, BINDING, replace(old, epoch=EPOCH)),
        present(ann, then, BINDING, old),
    ):
        with pytest.raises(VerificationError):
            verify(presentation, fleet().issuer, policy, BINDING)
    verify(present(ann, then, BINDING, old), fleet().issuer, then, BINDING)


@both
def test_a_gap_of_another_fleet_is_refused(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = fleet().ann
    (foreign,) = sign_gaps(fleet().key, "example.com/spots", EPOCH, [])
    with pytest.raises(ParameterError, match="another fleet"):
        present(ann, policy, BINDING, foreign)
    refuse_to_check(monkeypatch)
    for gap in (foreign, replace(foreign, fleet=FLEET)):
        presentation = present(ann, policy, BINDING, gap)
        with pytest.raises(VerificationError):
            verify(presentation, fleet().issuer, policy, BINDING)


def test_a_gap_of_another_issuer_is_refused() -> None:
    ann = fleet().ann
    (foreign,) = sign_gaps(IssuerKey.generate(), FLEET, EPOCH, [])
    presentation = present(ann, NOT_REVOKED, BINDING, foreign)
    with pytest.raises(VerificationError):
        verify(presentation, fleet().issuer, NOT_REVOKED, BINDING)


def test_a_gap_that_nobody_signed_is_refused() -> None:
    robot, _ = enrol(fleet().key, 100)
    made_up = replace(fleet().gaps[0], low=99, high=101)
    presentation = present(robot, NOT_REVOKED, BINDING, made_up)
    with pytest.raises(VerificationError):
        verify(presentation, fleet().issuer, NOT_REVOKED, BINDING)


def test_the_gap_of_one_presentation_does_not_serve_another() -> None:
    ann, gap = fleet().ann, find_gap(fleet().gaps, 200)
    one, other = (present(ann, NOT_REVOKED, BINDING, gap) for _ in range(2))
    for mixed in (
        replace(one, gap=other.gap),
        replace(one, credential=other.credential),
        replace(one, ranges=other.ranges),
        replace(one, gap=other.gap, ranges=other.ranges),
    ):
        with pytest.raises(VerificationError):
            verify(mixed, fleet().issuer, NOT_REVOKED, BINDING)


def test_a_gap_goes_with_an_epoch() -> None:
    ann, gap = fleet().ann, find_gap(fleet().gaps, 200)
    with pytest.raises(ParameterError, match="gap"):
        present(ann, NOT_REVOKED, BINDING)
    with pytest.raises(ParameterError, match="gap"):
        present(ann, Policy(), BINDING, gap)
    with pytest.raises(ParameterError, match="robot id"):
        Policy((), (Attribute.ROBOT_ID,), epoch=EPOCH)


def test_a_credential_that_ends_is_told_from_one_that_is_revoked() -> None:
    robot, _ = enrol(fleet().key, 200, expiry=NOW - 1)
    gap = find_gap(fleet().gaps, 200)
    verify(present(robot, NOT_REVOKED, BINDING, gap), fleet().issuer, NOT_REVOKED, BINDING)
