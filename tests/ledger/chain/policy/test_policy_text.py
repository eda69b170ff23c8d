"""What a contract's policy may be: everything else is refused, and nothing brings us down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.policy import Member, PolicyError, Recording, Use, read_policy
from ledger.chain.policy.text import MAX_BYTES, MAX_OPEN, MAX_OPERATORS, MAX_POLICIES, check_text
from ledger.chain.policy.tree import MAX_DEPTH, MAX_SET

ROOT: Final = Path(__file__).resolve().parents[4]
RECORDING: Final = Recording("episode", "f", "o", "m", ("a=b",), ("/t",), 1, 2, 3)


def when(body: str) -> str:
    return f"permit (principal, action, resource) when {{ {body} }};"


def test_a_policy_may_say_all_of_this() -> None:
    policy = read_policy(
        """
        // "(((((((((((((((((((((((( brackets of a remark, and "of a string, are none
        @id("rescuers")
        permit (principal is Member, action == Action::"use", resource is Recording)
        when {
          principal.fleet == "((((((((((((((((((((((((" ||
          (if resource has reward_task_min then resource.reward_task_min * 2 - 1 >= -3 else true)
        }
        when { ["a=b", "c"].containsAny(resource.tags) && !(resource.topics.isEmpty()) }
        unless { context.purpose like "*war*" || principal.certifications.contains("none") };
        forbid (principal, action in [Action::"use"], resource)
        when { resource["kind"] != "episode" };
        """
    )
    assert len(policy.rules) == 2
    assert policy.allows(Member("x"), RECORDING, Use("rescue", 5, 0))
    assert not policy.allows(Member("x"), RECORDING, Use("a warlike act", 5, 0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no text"),
        ("  // nothing\n", "without a rule"),
        ("permit", "cannot read"),
        ("permit (principal, action, resource)", "cannot read"),
        (when("context.purpose == 'rescue'"), "no meaning"),
        (when('context.purpose == "\x00"'), "control"),
        (when('context.purpose == "rescue'), "no meaning"),
        (when("context.purpose = 3"), "no meaning"),
        ("\u00a0" + when("true"), "no meaning"),
        (when("true") + "é", "no meaning"),
        # templates
        ("permit (principal == ?principal, action, resource);", "templates"),
        # names of what has none
        ('permit (principal == Member::"x", action, resource);', "principal has no name"),
        ('permit (principal in Member::"x", action, resource);', "principal has no name"),
        ("permit (principal is Recording, action, resource);", "principal has no name"),
        ('permit (principal, action, resource == Recording::"x");', "resource has no name"),
        ('permit (principal, action == Action::"sell", resource);', "one action"),
        (when('principal == Member::"x"'), "has a name"),
        (when("principal is Member"), "'is' is not for contracts"),
        (when('principal in Member::"x"'), "'in' is not for contracts"),
        (when('{a: 1}["a"] == 1'), "'Record' is not for contracts"),
        (when('principal.hasTag("a")'), "'hasTag' is not for contracts"),
        # no numbers but integers
        (when('decimal("1.5").lessThan(decimal("2.5"))'), "is not for contracts"),
        (when('ip("10.0.0.1").isLoopback()'), "is not for contracts"),
        (when('datetime("2026-01-01") < datetime("2027-01-01")'), "is not for contracts"),
        (when('duration("1h") < duration("2h")'), "is not for contracts"),
        (when("context.price < 1.5"), "cannot read"),
        (when("context.price < 9223372036854775808"), "cannot read"),
        # what the schema does not have, or has otherwise
        (when("context.hour < 5"), "schema"),
        (when("principal.name == resource.kind"), "schema"),
        (when('context.price < "5"'), "schema"),
        (when("resource.reward_task_min > 5"), "schema"),
        (when('principal.role == "medic"'), "schema"),
        (when('[1, "a"].contains(1)'), "schema"),
        (when("context.price"), "schema"),
        ('forbid (principal, action, resource) when { context.colour == "red" };', "schema"),
    ],
)
def test_everything_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read_policy(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def _negations(count: int) -> str:
    return f"[{','.join(['!true'] * count)}]"


LARGEST: Final = {
    "bytes": when("true") + " " * (MAX_BYTES - len(when("true"))),
    # `when {` is one bracket of its own.
    "brackets": when("(" * (MAX_OPEN - 1) + "true" + ")" * (MAX_OPEN - 1)),
    # 64 + 1 + 64 + 1 + 29 + 1
    "operators": when(
        f"{_negations(64)}.containsAll({_negations(64)}) && {_negations(29)}.contains(false)"
    ),
    "depth": when(" && ".join(["true"] * MAX_DEPTH)),
    "policies": when("true") * MAX_POLICIES,
    "string": when(f'context.purpose == "{"a" * 254}"'),
    "set": when(f"{['x'] * MAX_SET}.contains(context.purpose)".replace("'", '"')),
    "choices": when("if true then " * (MAX_DEPTH - 1) + "true" + " else false" * (MAX_DEPTH - 1)),
    "sum": when("1" + " + 1" * (MAX_DEPTH - 2) + f" == {MAX_DEPTH - 1}"),
}
BOMBS: Final = {
    "bytes": LARGEST["bytes"] + " ",
    "brackets": LARGEST["brackets"].replace("true", "(true)"),
    "operators": LARGEST["operators"].replace("contains(false)", "contains(!true)"),
    "depth": LARGEST["depth"].replace("true }", "true && true }"),
    "policies": LARGEST["policies"] + when("true"),
    "string": LARGEST["string"].replace("aaa", "aaaa", 1),
    "set": LARGEST["set"].replace('"x"', '"x","x"', 1),
    "choices": LARGEST["choices"].replace("then true", "then !true"),
    "sum": LARGEST["sum"].replace("1 +", "1 + 1 +", 1),
    "a thousand parentheses": when("(" * 1_000 + "true" + ")" * 1_000),
    "a thousand sets": when("[" * 1_000 + "1" + "]" * 1_000),
    "a thousand choices": when("if true then " * 500 + "true" + " else false" * 500),
    "a thousand attributes": when("context" + ".a" * 1_000),
    "a thousand sums": when("1" + "+1" * 1_000 + " == 3"),
    "a thousand nots": when("!" * 1_000 + "true"),
    "nodes": when("[1,1,1,1,1,1,1,1,1,1].contains(1) && true") * 31
    + when("[" + "1," * 600 + "1].contains(1)"),
}


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_of_each_is_taken(name: str) -> None:
    assert read_policy(LARGEST[name]).rules


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    with pytest.raises(PolicyError):
        read_policy(BOMBS[name])


def test_the_deepest_that_is_taken_fits_a_small_stack() -> None:
    """Replicas have other stacks than we: the deepest policies must decide alike on theirs."""
    choices, rest = MAX_OPEN - 2, MAX_DEPTH - MAX_OPEN + 2
    deepest = [
        *(LARGEST[name] for name in ("depth", "operators", "choices", "sum", "brackets")),
        when("[" * 5 + "1" + "]" * 5 + " == " + "[" * 5 + "1" + "]" * 5),
        when("[true].contains(" * 10 + "true" + ")" * 10),
        when(
            "(if true then " * choices + "true" + " else false)" * choices + " && true" * (rest - 1)
        ),
        when("(if true then " * choices + " && ".join(["true"] * rest) + " else false)" * choices),
    ]
    for text in deepest:
        read_policy(text)
    inner, many = MAX_OPEN - 1, MAX_OPERATORS
    too_deep = [
        when("(" * inner + one + ")" * inner)
        for one in (
            "if true then " * many + "true" + " else false" * many,
            "if false then false else " * many + "true",
            "true" + " && true" * many,
            "1" + "+1" * (many - 1) + " == 3",
            "context" + ".a" * many,
            "context has a" + ".a" * (many - 1),
        )
    ]
    program = f"""
import threading
from ledger.chain.policy import Member, PolicyError, Recording, Use, read_policy
decided = []
def decide():
    for text in {deepest!r}:
        policy = read_policy(text)
        recording = Recording("k", "f", "o", "m", (), (), 1, 2, 3)
        decided.append(policy.allows(Member("x"), recording, Use("p", 5, 0)))
    for text in {too_deep!r}:
        try:
            read_policy(text)
        except PolicyError as refused:
            decided.append("deep" in refused.message)
threading.stack_size(512 * 1024)
thread = threading.Thread(target=decide)
thread.start()
thread.join()
print(decided)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([True] * len(deepest + too_deep))


PIECES: Final = st.sampled_from(
    [
        *("permit (principal, action, resource)", "forbid (principal, action, resource)"),
        *(" when {", " unless {", "}", ";", "(", ")", "[", "]", "{", '"', "\\", "//", "\n", ","),
        *("true", "1", "-9223372036854775808", '"*"', "principal", "context", "resource", "a"),
        *(".", "::", " && ", " || ", " == ", " < ", " has ", " like ", " in ", " is ", "!", "-"),
        *("if ", " then ", " else ", "?principal", "@id", "é", "decimal(", ".contains(", " + "),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        policy = read_policy(text)
    except PolicyError as refused:
        assert "\n" not in refused.message
    else:
        policy.allows(Member("x"), RECORDING, Use("p", 5, 0))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(['"', "\\", "//", "\n", "(", "x", '\\"', "\\\\", " ", "/"]), max_size=12
    ).map("".join)
)
def test_what_hides_brackets_from_us_hides_them_from_cedar(noise: str) -> None:
    """Were a bracket of ours a letter to us, a bomb could be hidden in what we took for text."""
    deep = "(" * MAX_OPEN + "true" + ")" * MAX_OPEN
    text = f'permit (principal, action, resource) when {{ "" == "{noise}" || \n{deep} }};'
    try:
        check_text(text)
    except PolicyError:
        return
    # We took the brackets for text or a remark; then Cedar must have seen none of them either.
    try:
        policy = read_policy(text)
    except PolicyError:
        return
    assert "value=True" not in repr(policy.rules)
