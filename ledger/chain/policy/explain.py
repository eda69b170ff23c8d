"""A policy in plain words, read off its tree: what it says, not what its author meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ledger.chain.policy.hidden_level import asked_level
from ledger.chain.policy.schema import QUALITIES
from ledger.chain.policy.tree import (
    Attribute,
    Binary,
    BinaryOperator,
    Choice,
    Condition,
    ConditionKind,
    Effect,
    Expression,
    Has,
    Like,
    Literal,
    Rule,
    SetOf,
    Unary,
    UnaryOperator,
    Variable,
)

_OWNERS: Final = {"principal": "the member", "resource": "the recording", "context": "the use"}
_ATTRIBUTES: Final = {
    ("principal", "fleet"): "the member's fleet",
    ("principal", "proven_min_level"): "the level that the member proves",
    ("principal", "role"): "the role that the member shows",
    ("principal", "certifications"): "the certifications that the member shows",
    ("resource", "kind"): "the recording's kind",
    ("resource", "fleet"): "the fleet that offers it",
    ("resource", "origin"): "the log that it is in",
    ("resource", "media_type"): "its media type",
    ("resource", "tags"): "its tags",
    ("resource", "topics"): "its topics",
    ("resource", "start_s"): "its start (seconds since 1970)",
    ("resource", "end_s"): "its end (seconds since 1970)",
    ("resource", "size"): "its size in bytes",
    ("context", "purpose"): "the purpose",
    ("context", "time_s"): "the time of the block (seconds since 1970)",
    ("context", "age_s"): "its age",
    ("context", "price"): "the price in smallest units",
}
_BETWEEN: Final = {
    BinaryOperator.EQUAL: "is",
    BinaryOperator.NOT_EQUAL: "is not",
    BinaryOperator.LESS: "is less than",
    BinaryOperator.AT_MOST: "is at most",
    BinaryOperator.GREATER: "is more than",
    BinaryOperator.AT_LEAST: "is at least",
    BinaryOperator.ADD: "plus",
    BinaryOperator.SUBTRACT: "minus",
    BinaryOperator.MULTIPLY: "times",
    BinaryOperator.CONTAINS: "include",
    BinaryOperator.CONTAINS_ALL: "include all of",
    BinaryOperator.CONTAINS_ANY: "include one or more of",
}
_LINKS: Final = (BinaryOperator.AND, BinaryOperator.OR)
_SUMS: Final = (BinaryOperator.ADD, BinaryOperator.SUBTRACT, BinaryOperator.MULTIPLY)
_CHAINS: Final = (*_LINKS, BinaryOperator.ADD, BinaryOperator.MULTIPLY)
"""What reads the same however it is grouped."""
_SOURCES: Final = {
    "": "",
    "operator": " (by the operator)",
    "task": " (by the task)",
    "self": " (by itself)",
}
_SPANS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def explain(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Lines of words; what belongs under a line is indented by two blanks."""
    permits = [rule for rule in rules if rule.effect is Effect.PERMIT]
    forbids = [rule for rule in rules if rule.effect is Effect.FORBID]
    lines: list[str] = []
    for number, rule in enumerate(permits):
        lines += _rule(rule, "It may be used" if not number else "It may also be used")
    for rule in forbids:
        lines += _rule(rule, "Whatever else is said, it may not be used")
    if not permits:
        lines.append("Nobody may use it.")
    return tuple(lines)


def span(seconds: int) -> str:
    """A time in words: ``1 hour``, ``90 seconds``."""
    for size, name in _SPANS:
        if seconds and not seconds % size:
            count = seconds // size
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def _rule(rule: Rule, opening: str) -> Iterator[str]:
    if not rule.conditions:
        yield f"{opening}, whoever asks."
        return
    yield f"{opening} where all of this is so:"
    for condition in rule.conditions:
        for line in _condition(condition):
            yield f"  {line}"


def _condition(condition: Condition) -> Iterator[str]:
    if condition.kind is ConditionKind.UNLESS:
        yield f"it is not so that {_words(condition.body)}"
        return
    for part in _conjuncts(condition.body):
        yield _words(part)


def _conjuncts(node: Expression) -> Iterator[Expression]:
    match node:
        case Binary(BinaryOperator.AND, left, right):
            yield from _conjuncts(left)
            yield from _conjuncts(right)
        case _:
            yield node


def _words(node: Expression) -> str:
    level = asked_level(node)
    if level is not None:
        return f"the member proves a level of {level} or more, and does not show which"
    match node:
        case Literal(value=value):
            return _literal(value)
        case Variable(name=name):
            return _OWNERS.get(name, "the action")
        case Attribute(of=Variable(name=owner), name=name):
            return _ATTRIBUTES.get((owner, name)) or f"the proven {_bound(name)}"
        case Attribute(of=of, name=name):
            return f"{name} of {_words(of)}"
        case Has(of=Variable("principal"), name=name):
            return f"the member shows a {name}"
        case Has(name=name):
            return f"a {_bound(name)} is proven"
        case Like(of=of, pattern=pattern):
            shown = "".join("*" if piece is None else piece for piece in pattern)
            return f"{_words(of)} is like {_literal(shown)}"
        case Unary(UnaryOperator.NOT, operand):
            return f"it is not so that {_grouped(operand)}"
        case Unary(UnaryOperator.NEGATE, operand):
            return f"minus {_grouped(operand)}"
        case Unary(operand=operand):
            return f"{_words(operand)} are none"
        case SetOf(items=items):
            return ", ".join(map(_words, items))
        case Choice(condition=condition, chosen=chosen, other=other):
            return f"if {_grouped(condition)}, then {_grouped(chosen)}, else {_grouped(other)}"
        case Binary():
            return _binary(node)


def _binary(node: Binary) -> str:
    match node:
        case Binary(BinaryOperator.AND | BinaryOperator.OR as link, left, right):
            word = "and" if link is BinaryOperator.AND else "or"
            return f"{_grouped(left, link)} {word} {_grouped(right, link)}"
        case Binary(BinaryOperator.CONTAINS, SetOf() as choices, right):
            return f"{_grouped(right, node.operator)} is one of {_words(choices)}"
        case Binary(operator, left, right):
            said = _measured(left, right, operator), _measured(right, left, operator)
            return f"{said[0]} {_BETWEEN[operator]} {said[1]}"


def _measured(node: Expression, beside: Expression, within: BinaryOperator) -> str:
    """A number beside an age as a time, beside a proven bound in whole units."""
    match node, beside:
        case Literal(value=int() as value), Attribute(name="age_s"):
            return span(value)
        case Literal(value=int() as value), Attribute(of=Variable("resource"), name=name) if (
            name.rpartition("_")[0] in QUALITIES
        ):
            return _thousandths(value)
    return _grouped(node, within)


def _grouped(node: Expression, within: BinaryOperator | None = None) -> str:
    """In brackets where the words would run into each other."""
    match node:
        case Binary(operator=operator):
            links = operator in _LINKS
            if operator in _CHAINS and operator is within:
                bare = True
            elif within is None or within in _LINKS:
                bare = not links
            else:
                bare = operator in _SUMS and within not in _SUMS
        case Choice():
            bare = False
        case Unary(UnaryOperator.NOT):
            bare = within is None
        case _:
            bare = True
    return _words(node) if bare else f"({_words(node)})"


def _bound(name: str) -> str:
    """``reward_task_min``: the least reward, as the task gave it, that was proven."""
    quality, _, bound = name.rpartition("_")
    kind, _, source = quality.partition("_")
    extreme = {"min": "least", "max": "greatest"}.get(bound)
    if quality not in QUALITIES or extreme is None:
        return name
    unit = " in seconds" if kind == "length" else ""
    return f"{extreme} {kind}{unit}{_SOURCES[source]}"


def _thousandths(value: int) -> str:
    whole, rest = divmod(abs(value), 1_000)
    digits = f"{whole}.{rest:03}".rstrip("0").rstrip(".")
    return f"-{digits}" if value < 0 else digits


def _literal(value: bool | int | str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}"
    return '"' + "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in value) + '"'
