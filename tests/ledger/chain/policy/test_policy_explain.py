"""A policy in plain words: every form of it, and nothing left out."""

from __future__ import annotations

import pytest

from ledger.chain.policy import read_policy
from ledger.chain.policy.explain import explain, span


def words(body: str) -> list[str]:
    rules = read_policy(f"permit (principal, action, resource) when {{ {body} }};").rules
    first, *rest = explain(rules)
    assert first == "It may be used where all of this is so:"
    assert all(line.startswith("  ") for line in rest)
    return [line.removeprefix("  ") for line in rest]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (
            "principal.proven_min_level > 2 && context.price <= 5",
            [
                "the member proves a level of 3 or more, and does not show which",
                "the price in smallest units is at most 5",
            ],
        ),
        ("context.age_s < 5400", ["its age is less than 90 minutes"]),
        ("3600 >= context.age_s", ["1 hour is at least its age"]),
        (
            "resource has length_max && resource.length_max <= 30500",
            [
                "a greatest length in seconds is proven",
                "the proven greatest length in seconds is at most 30.5",
            ],
        ),
        (
            "resource has reward_operator_min && resource.reward_operator_min > -1500",
            [
                "a least reward (by the operator) is proven",
                "the proven least reward (by the operator) is more than -1.5",
            ],
        ),
        (
            'resource.kind == "a" || resource.kind == "b" && resource.kind != "c"',
            [
                (
                    'the recording\'s kind is "a" or (the recording\'s kind is "b" and'
                    ' the recording\'s kind is not "c")'
                )
            ],
        ),
        (
            '(principal.fleet == "a" || principal.fleet == "b") && !(principal has role)',
            [
                'the member\'s fleet is "a" or the member\'s fleet is "b"',
                "it is not so that the member shows a role",
            ],
        ),
        (
            'resource.tags.containsAny(["a", "b"]) && resource.topics.containsAll(["/c"])',
            [
                'its tags include one or more of "a", "b"',
                'its topics include all of "/c"',
            ],
        ),
        (
            'resource.origin like "example.com/*" && principal.certifications.isEmpty()',
            [
                'the log that it is in is like "example.com/*"',
                "the certifications that the member shows are none",
            ],
        ),
        (
            "if context.price > 5 then true else context.price * 2 - 1 >= -3",
            [
                (
                    "if the price in smallest units is more than 5, then true, else"
                    " (the price in smallest units times 2) minus 1 is at least -3"
                )
            ],
        ),
        (
            "(context.price + 1 + 2) * 3 == context.price - (1 - 2)",
            [
                (
                    "(the price in smallest units plus 1 plus 2) times 3 is"
                    " the price in smallest units minus (1 minus 2)"
                )
            ],
        ),
        (
            "!(context.price == 1) || (context.price == 2) == false",
            [
                (
                    "(it is not so that the price in smallest units is 1) or"
                    " (the price in smallest units is 2) is false"
                )
            ],
        ),
        ('context.purpose == "\\u{202e}x"', ['the purpose is "\\u{202e}x"']),
    ],
)
def test_conditions_in_words(body: str, lines: list[str]) -> None:
    assert words(body) == lines


def test_rules_in_words() -> None:
    text = """
        permit (principal, action, resource);
        permit (principal, action, resource) when { true } unless { context.price > 3 };
        forbid (principal, action, resource) when { context.purpose == "war" };
    """
    assert explain(read_policy(text).rules) == (
        "It may be used, whoever asks.",
        "It may also be used where all of this is so:",
        "  true",
        "  it is not so that the price in smallest units is more than 3",
        "Whatever else is said, it may not be used where all of this is so:",
        '  the purpose is "war"',
    )
    forbidden = explain(read_policy("forbid (principal, action, resource);").rules)
    assert forbidden[-1] == "Nobody may use it."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (86_400, "1 day"),
        (-5, "-5 seconds"),
        (365 * 86_400, "365 days"),
        (2_000 * 86_400, "2,000 days"),
    ],
)
def test_spans_of_time(seconds: int, text: str) -> None:
    assert span(seconds) == text
