"""How a policy may ask for the level of a member.

Nobody is told a member's level. A presentation proves ``level >= N`` for an N of the
member's own choice, and N is all that a policy sees, as ``principal.proven_min_level``. So N
says something where more of it is better, and nothing where less is: whoever proves 0 is
"below level 3", whatever the level. A policy may therefore ask for it in one way,

    permit ... when { principal.proven_min_level >= 3 }        or  > 2, or the other way round

under ``&&`` and ``||`` and in the branches of an ``if``. It is refused in a ``forbid``, in
an ``unless``, under ``!``, as an upper bound, in sums, in sets and wherever else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ledger.chain.policy.errors import PolicyError
from ledger.chain.policy.tree import (
    Attribute,
    Binary,
    BinaryOperator,
    Choice,
    ConditionKind,
    Effect,
    Expression,
    Has,
    Literal,
    Rule,
    Variable,
    operands,
)

LEVEL: Final = "proven_min_level"
_THE_LEVEL: Final = Attribute(Variable("principal"), LEVEL)
_LINKS: Final = (BinaryOperator.AND, BinaryOperator.OR)


def check_levels(rules: Sequence[Rule]) -> None:
    """Raise PolicyError for a policy that asks for a level in any other way."""
    for rule in rules:
        for condition in rule.conditions:
            if rule.effect is Effect.PERMIT and condition.kind is ConditionKind.WHEN:
                _check(condition.body)
            elif _names_level(condition.body):
                raise PolicyError(
                    f"{LEVEL} in a {rule.effect.value} ... {condition.kind.value} holds back"
                    " nobody, for a member may prove less than it has",
                    hint=f"permit ... when {{ principal.{LEVEL} >= N }}",
                )


def asked_levels(rules: Sequence[Rule]) -> tuple[int, ...]:
    """The levels that a policy asks for, ascending: whoever proves more gains nothing by it."""
    found = {
        level
        for rule in rules
        for condition in rule.conditions
        for node in _nodes(condition.body)
        if (level := asked_level(node)) is not None
    }
    return tuple(sorted(found))


def _check(node: Expression) -> None:
    """Check a node whose being true can only help whoever asks."""
    match node:
        case Binary(operator=operator, left=left, right=right) if operator in _LINKS:
            _check(left)
            _check(right)
        case Choice(condition=condition, chosen=chosen, other=other) if not _names_level(condition):
            _check(chosen)
            _check(other)
        case _ if asked_level(node) is None and _names_level(node):
            raise PolicyError(
                f"a policy asks for {LEVEL} as a lower bound, and in no other way",
                hint=f"principal.{LEVEL} >= N",
            )


def asked_level(node: Expression) -> int | None:
    """N, of a node that is ``level >= N`` in any of its forms."""
    match node:
        case Binary(BinaryOperator.AT_LEAST, left, Literal(value=int() as level)):
            least = level
        case Binary(BinaryOperator.GREATER, left, Literal(value=int() as level)):
            least = level + 1
        case Binary(BinaryOperator.AT_MOST, Literal(value=int() as level), left):
            least = level
        case Binary(BinaryOperator.LESS, Literal(value=int() as level), left):
            least = level + 1
        case _:
            return None
    return least if left == _THE_LEVEL else None


def _names_level(node: Expression) -> bool:
    return any(isinstance(each, Attribute | Has) and each.name == LEVEL for each in _nodes(node))


def _nodes(node: Expression) -> Iterator[Expression]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(operands(each))
