"""A level that nobody is told may be asked for as a lower bound, and in no other way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.policy import Member, PolicyError, Recording, Use, read_policy

RECORDING = Recording("episode", "f", "o", "m", (), (), 1, 2, 3)


CHOICE = (
    "if context.price > 9 then principal.proven_min_level >= 1 else principal.proven_min_level >= 7"
)


def permit(body: str, kind: str = "when") -> str:
    return f"permit (principal, action, resource) {kind} {{ {body} }};"


@pytest.mark.parametrize(
    ("body", "levels"),
    [
        ("principal.proven_min_level >= 3", (3,)),
        ("principal.proven_min_level > 2", (3,)),
        ("3 <= principal.proven_min_level", (3,)),
        ("2 < principal.proven_min_level", (3,)),
        ('principal["proven_min_level"] >= 3', (3,)),
        ("(principal.proven_min_level >= 5 || context.price > 10) && true", (5,)),
        (CHOICE, (1, 7)),
        ("!(context.price > 10) && principal.proven_min_level >= 3", (3,)),
        ("context.price > 10", ()),
    ],
)
def test_lower_bounds_are_taken(body: str, levels: tuple[int, ...]) -> None:
    assert read_policy(permit(body)).asked_levels == levels


@pytest.mark.parametrize(
    "body",
    [
        # upper bounds, and exact levels
        "principal.proven_min_level < 3",
        "principal.proven_min_level <= 3",
        "principal.proven_min_level == 3",
        "principal.proven_min_level != 3",
        "3 > principal.proven_min_level",
        "3 >= principal.proven_min_level",
        "3 == principal.proven_min_level",
        "context.price > 1 && principal.proven_min_level < 3",
        "context.price > 1 || principal.proven_min_level < 3",
        "if true then principal.proven_min_level < 3 else true",
        "if true then true else principal.proven_min_level < 3",
        # negation, in each of its disguises
        "!(principal.proven_min_level >= 3)",
        "!!(principal.proven_min_level >= 3)",
        "(principal.proven_min_level >= 3) == false",
        "(principal.proven_min_level >= 3) != true",
        "if principal.proven_min_level >= 3 then false else true",
        "[false].contains(principal.proven_min_level >= 3)",
        "-principal.proven_min_level <= -3",
        # anything else that is no comparison with a number
        "principal.proven_min_level + 0 >= 3",
        "principal.proven_min_level * -1 >= -3",
        "principal.proven_min_level >= context.price",
        "context.price - principal.proven_min_level <= 3",
        "[1, 2].contains(principal.proven_min_level)",
        "[principal.proven_min_level].containsAny([3])",
        "principal has proven_min_level",
        "!(principal has proven_min_level)",
        "(if true then principal else principal).proven_min_level >= 3",
    ],
)
def test_everything_else_is_refused(body: str) -> None:
    with pytest.raises(PolicyError, match="proven_min_level"):
        read_policy(permit(body))


@pytest.mark.parametrize(
    "text",
    [
        permit("principal.proven_min_level >= 3", kind="unless"),
        permit("principal.proven_min_level < 3", kind="unless"),
        "forbid (principal, action, resource) when { principal.proven_min_level >= 3 };",
        "forbid (principal, action, resource) unless { principal.proven_min_level >= 3 };",
        permit("true") + "forbid (principal, action, resource)"
        " when { context.price > 3 && principal.proven_min_level < 3 };",
    ],
)
def test_nobody_is_held_back_by_a_level(text: str) -> None:
    with pytest.raises(PolicyError, match="holds back nobody"):
        read_policy(text)


COMPARISONS = st.sampled_from(
    [f"principal.proven_min_level {op} {n}" for op in (">=", ">", "<", "==") for n in range(4)]
    + [f"{n} {op} principal.proven_min_level" for op in ("<=", "<", ">=") for n in range(4)]
    + ["context.price > 1", "context.price < 2", "true", "false"]
)
BODIES = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", "=="]), inner).map(
            lambda parts: f"(({parts[0]}) {parts[1]} ({parts[2]}))"
        ),
        inner.map(lambda body: f"!({body})"),
        st.tuples(inner, inner, inner).map(
            lambda parts: f"(if {parts[0]} then {parts[1]} else {parts[2]})"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None)
@given(BODIES, st.sampled_from(["when", "unless"]), st.sampled_from(["permit", "forbid"]))
def test_proving_more_never_helps_less(body: str, kind: str, effect: str) -> None:
    """Of every policy that is taken: whoever may with N may with N + 1."""
    text = f"{effect} (principal, action, resource) {kind} {{ {body} }};"
    if effect == "forbid":
        text += permit("true")
    try:
        policy = read_policy(text)
    except PolicyError:
        return
    for price in (0, 1, 2):
        use = Use("p", 5, price)
        allowed = [policy.allows(Member("x", level), RECORDING, use) for level in range(6)]
        assert allowed == sorted(allowed)
        # And nothing changes but at the levels that it asks for.
        for level in range(1, 6):
            if allowed[level] != allowed[level - 1]:
                assert level in policy.asked_levels
