"""Presentations: what they prove, what they show, and what they keep to themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.credential.elements import Kind, elements
from tests.zkproofs.credential.fleet import (
    BINDING,
    EVERYTHING,
    FLEET,
    IS_MEMBER,
    NONCE,
    NOW,
    SMALL,
    USUAL,
    enrol,
    fleet,
)
from zkproofs.batch import Batch, BatchVerificationError
from zkproofs.credential import (
    AtLeast,
    AtMost,
    Attribute,
    Between,
    Binding,
    Equals,
    IssuerKey,
    Nullifier,
    Policy,
    Presentation,
    equations,
    find_gap,
    nullifier_of,
    present,
    presentation_size,
    reissue,
    request_reissue,
    verify,
)
from zkproofs.errors import DecodingError, ParameterError, VerificationError

TOP = 2**32 - 1
POLICIES = {
    "nothing": Policy(),
    "scope": Policy(scope=b"contract 4"),
    "usual": USUAL,
    "small": SMALL,
    "everything": EVERYTHING,
}


def answer(policy: Policy, binding: Binding = BINDING) -> bytes:
    ann = fleet().ann
    gap = None if policy.epoch is None else find_gap(fleet().gaps, ann.attributes.robot_id)
    return present(ann, policy, binding, gap).to_bytes(policy)


def check(data: bytes, policy: Policy, binding: Binding = BINDING) -> Presentation:
    presentation = Presentation.from_bytes(data, policy)
    verify(presentation, fleet().issuer, policy, binding)
    return presentation


@pytest.mark.parametrize("name", POLICIES)
def test_a_presentation_verifies_from_its_bytes(name: str) -> None:
    policy = POLICIES[name]
    data = answer(policy)
    presentation = check(data, policy)
    assert presentation.to_bytes(policy) == data
    assert len(data) == presentation_size(policy) == elements(policy)[-1].stop
    expected = None if policy.scope is None else nullifier_of(fleet().ann, policy.scope)
    assert presentation.nullifier == expected


def test_any_subset_is_disclosed_and_no_more() -> None:
    attributes = fleet().ann.attributes
    for count in range(len(Attribute) + 1):
        for shown in combinations(Attribute, count):
            policy = Policy((), shown)
            presentation = check(answer(policy), policy)
            expected = {attribute: attributes.value(attribute) for attribute in shown}
            assert presentation.disclosed(policy) == expected
            wrong = {Attribute.FLEET: "x", Attribute.ROLE: "x"}
            for at, attribute in enumerate(shown):
                values = list(presentation.values)
                values[at] = wrong.get(attribute, 7)
                with pytest.raises(VerificationError):
                    verify(
                        replace(presentation, values=tuple(values)),
                        fleet().issuer,
                        policy,
                        BINDING,
                    )


def test_values_that_are_asked_for_are_not_sent() -> None:
    policy = Policy((IS_MEMBER, Equals(Attribute.LEVEL, 4)), (Attribute.ROLE,))
    data = answer(policy)
    assert check(data, policy).disclosed(policy) == {Attribute.ROLE: "courier"}
    assert FLEET.encode() not in data
    for other in (
        replace(policy, predicates=(IS_MEMBER, Equals(Attribute.LEVEL, 5))),
        replace(policy, predicates=(Equals(Attribute.FLEET, "x"), Equals(Attribute.LEVEL, 4))),
    ):
        with pytest.raises(VerificationError):
            check(data, other)
        with pytest.raises(ParameterError, match="another"):
            answer(other)


LEVELS = st.one_of(st.sampled_from([0, 1, 254, 255, 256, TOP - 1, TOP]), st.integers(0, TOP))


@settings(max_examples=25, deadline=None)
@given(LEVELS, st.integers(-2, 257), st.integers(0, 255))
def test_a_range_holds_up_to_its_edges(level: int, below: int, width: int) -> None:
    low = min(max(level - below, 0), TOP)
    high = min(low + width, TOP)
    policy = Policy((Between(Attribute.LEVEL, low, high),))
    robot = robot_of_level(level)
    if low <= level <= high:
        verify(present(robot, policy, BINDING), fleet().issuer, policy, BINDING)
    else:
        with pytest.raises(ParameterError, match="outside its interval"):
            present(robot, policy, BINDING)


def robot_of_level(level: int, expiry: int = NOW) -> Any:
    return enrol(fleet().key, 7, level, expiry)[0]


@pytest.mark.parametrize(
    ("predicate", "levels", "others"),
    [
        (AtLeast(Attribute.LEVEL, 3), [3, 4, TOP], [0, 2]),
        (AtLeast(Attribute.LEVEL, 0), [0, TOP], []),
        (AtLeast(Attribute.LEVEL, TOP), [TOP], [0, TOP - 1]),
        (AtMost(Attribute.LEVEL, 3), [0, 3], [4, TOP]),
        (AtMost(Attribute.LEVEL, 0), [0], [1, TOP]),
        (Between(Attribute.LEVEL, 5, 5), [5], [4, 6]),
        (Between(Attribute.LEVEL, 0, TOP), [0, TOP], []),
    ],
)
def test_predicates_at_their_edges(predicate: Any, levels: list[int], others: list[int]) -> None:
    policy = Policy((predicate,))
    for level in levels:
        verify(present(robot_of_level(level), policy, BINDING), fleet().issuer, policy, BINDING)
    for level in others:
        with pytest.raises(ParameterError, match="outside its interval"):
            present(robot_of_level(level), policy, BINDING)


def test_a_credential_is_good_in_its_last_second_and_not_in_the_next() -> None:
    last, next_ = (Policy((AtLeast(Attribute.EXPIRY, now),)) for now in (NOW, NOW + 1))
    presentation = present(fleet().ann, last, BINDING)
    verify(presentation, fleet().issuer, last, BINDING)
    with pytest.raises(ParameterError):
        present(fleet().ann, next_, BINDING)
    with pytest.raises(VerificationError):
        verify(presentation, fleet().issuer, next_, BINDING)


def test_a_nullifier_is_one_a_robot_and_scope() -> None:
    ann, ben, key = fleet().ann, fleet().ben, fleet().key
    renewed = request_reissue(ann, NONCE)
    ann_again = renewed.complete(
        reissue(key, fleet().registration, renewed.request, ann.attributes, NONCE)
    )
    seen: dict[tuple[str, bytes], set[bytes]] = {}
    for name, robot in (("ann", ann), ("ann", ann_again), ("ben", ben)):
        for scope in (b"contract 4", b"contract 5"):
            policy = Policy(scope=scope)
            presentation = present(robot, policy, BINDING)
            verify(presentation, fleet().issuer, policy, BINDING)
            nullifier = presentation.nullifier
            assert nullifier is not None
            assert Nullifier.from_bytes(nullifier.to_bytes()) == nullifier
            seen.setdefault((name, scope), set()).add(nullifier.to_bytes())
    assert all(len(nullifiers) == 1 for nullifiers in seen.values())
    assert len(set.union(*seen.values())) == 4
    # The issuer's own record is not one of them, whatever the scope.
    assert Nullifier(fleet().registration.point).to_bytes() not in set.union(*seen.values())


def test_presentations_share_nothing_but_what_they_show() -> None:
    policy = EVERYTHING
    one, other = answer(policy), answer(policy, replace(BINDING, nonce=bytes(16)))
    assert len(one) == len(other)
    hidden = [element for element in elements(policy) if element.kind in (Kind.POINT, Kind.SCALAR)]
    assert {
        element.kind for element in elements(policy) if element.of(one) == element.of(other)
    } == {Kind.VERSION, Kind.VALUE, Kind.NULLIFIER}
    of_one, of_other = ([element.of(data) for element in hidden] for data in (one, other))
    # The response of the hidden fleet stands in the credential's proof and in the gap's.
    assert len(set(of_one + of_other)) == 2 * (len(hidden) - 1)
    # Nor any eight bytes, wherever they are.
    chunks = [
        {piece[i : i + 8] for piece in pieces for i in range(len(piece) - 7)}
        for pieces in (of_one, of_other)
    ]
    assert not chunks[0] & chunks[1]


def test_presentations_of_two_scopes_do_not_share_a_nullifier() -> None:
    data = [answer(replace(SMALL, scope=scope)) for scope in (b"one", b"other")]
    same = {each.kind for each in elements(SMALL) if each.of(data[0]) == each.of(data[1])}
    assert same == {Kind.VERSION, Kind.VALUE}


def test_every_robot_answers_in_as_many_bytes() -> None:
    policy = Policy(
        (AtLeast(Attribute.LEVEL, 0), AtLeast(Attribute.EXPIRY, 0)),
        (Attribute.FLEET, Attribute.ROLE),
        b"s",
    )
    robots = [
        enrol(fleet().key, 1, 0, 0, "f")[0],
        enrol(fleet().key, TOP - 1, TOP, TOP, "f" * 63)[0],
    ]
    assert {len(present(robot, policy, BINDING).to_bytes(policy)) for robot in robots} == {
        presentation_size(policy)
    }


@pytest.mark.parametrize("field", ["nonce", "verifier", "transaction"])
def test_a_presentation_is_not_good_for_another_occasion(field: str) -> None:
    data = answer(SMALL)
    check(data, SMALL)
    with pytest.raises(VerificationError):
        check(data, SMALL, replace(BINDING, **{field: getattr(BINDING, field) + b"!"}))


def test_parts_of_a_binding_do_not_run_into_each_other() -> None:
    data = answer(Policy())
    moved = Binding(BINDING.nonce + b"chain 7", b"a transfer", b"")
    assert BINDING.nonce + BINDING.verifier + BINDING.transaction == (
        moved.nonce + moved.verifier + moved.transaction
    )
    with pytest.raises(VerificationError):
        check(data, Policy(), moved)


@pytest.mark.parametrize(
    "other",
    [
        replace(SMALL, scope=b"contract 5"),
        replace(SMALL, predicates=(Between(Attribute.LEVEL, 4, 259),)),
        replace(SMALL, predicates=(Between(Attribute.EXPIRY, 3, 258),)),
        replace(SMALL, disclose=(Attribute.ROLE,)),
    ],
    ids=["scope", "bounds", "attribute", "disclosed"],
)
def test_a_presentation_answers_one_question(other: Policy) -> None:
    data = answer(SMALL)
    with pytest.raises(VerificationError):
        check(data, other)


@pytest.mark.parametrize("name", POLICIES)
def test_a_presentation_of_another_shape_is_refused(name: str) -> None:
    presentation = Presentation.from_bytes(answer(POLICIES[name]), POLICIES[name])
    for other_name, other in POLICIES.items():
        if other_name == name:
            continue
        with pytest.raises(DecodingError):
            check(presentation.to_bytes(POLICIES[name]), other)
        with pytest.raises(VerificationError):
            verify(presentation, fleet().issuer, other, BINDING)


def test_values_are_read_under_the_policy_that_asked() -> None:
    presentation = Presentation.from_bytes(answer(SMALL), SMALL)
    assert presentation.disclosed(SMALL) == {Attribute.FLEET: FLEET}
    with pytest.raises(ParameterError):
        presentation.disclosed(USUAL)
    with pytest.raises(ParameterError):
        presentation.to_bytes(USUAL)


def test_another_issuer_is_refused() -> None:
    presentation = Presentation.from_bytes(answer(SMALL), SMALL)
    with pytest.raises(VerificationError):
        verify(presentation, IssuerKey.generate().issuer, SMALL, BINDING)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Policy((AtLeast(Attribute.EXPIRY, 1), AtLeast(Attribute.LEVEL, 1))),
        lambda: Policy((AtLeast(Attribute.LEVEL, 1), AtMost(Attribute.LEVEL, 2))),
        lambda: Policy((), (Attribute.ROLE, Attribute.FLEET)),
        lambda: Policy((), (Attribute.ROLE, Attribute.ROLE)),
        lambda: Policy((IS_MEMBER,), (Attribute.FLEET,)),
        lambda: Policy((AtLeast(Attribute.LEVEL, 1),), (Attribute.LEVEL,)),
        lambda: Policy(scope=b""),
        lambda: Policy(scope="s"),  # type: ignore[arg-type]
        lambda: Policy(epoch=-1),
        lambda: AtLeast(Attribute.ROLE, 1),
        lambda: AtLeast(Attribute.LEVEL, -1),
        lambda: AtMost(Attribute.LEVEL, TOP + 1),
        lambda: AtLeast(Attribute.LEVEL, 1.0),  # type: ignore[arg-type]
        lambda: Between(Attribute.LEVEL, 5, 4),
        lambda: Equals(Attribute.LEVEL, "4"),
        lambda: Equals("level", 4),  # type: ignore[arg-type]
        lambda: AtMost(2, 4),  # type: ignore[arg-type]
        lambda: Policy(("level >= 3",)),  # type: ignore[arg-type]
        lambda: Policy((), ("fleet",)),  # type: ignore[arg-type]
        lambda: Binding(NONCE[1:], b"v", b""),
        lambda: Binding(NONCE, b"", b""),
        lambda: Binding(NONCE, b"v", None),  # type: ignore[arg-type]
    ],
)
def test_a_question_is_written_in_one_way(make: Any) -> None:
    with pytest.raises(ParameterError):
        make()


def test_many_are_checked_in_one_batch_and_the_bad_ones_found() -> None:
    occasions = [replace(BINDING, transaction=bytes([i])) for i in range(6)]
    presentations = [
        Presentation.from_bytes(answer(SMALL, occasion), SMALL) for occasion in occasions
    ]
    batch = Batch()
    for presentation, occasion in zip(presentations, occasions, strict=True):
        batch.add(*equations(presentation, fleet().issuer, SMALL, occasion))
    batch.verify()

    batch = Batch()
    for i, (presentation, occasion) in enumerate(zip(presentations, occasions, strict=True)):
        wrong = replace(occasion, nonce=bytes(16)) if i in (1, 4) else occasion
        batch.add(*equations(presentation, fleet().issuer, SMALL, wrong))
    with pytest.raises(BatchVerificationError) as caught:
        batch.verify()
    assert caught.value.failed == (1, 4)
