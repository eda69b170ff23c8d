"""A parsed policy as values: what contracts may say, and nothing else.

Read from Cedar's JSON form. A node that is not named here is refused: the extension types
(decimal, ipaddr, datetime, duration), records, entity tags, entities by name, templates.

Where little of its stack is left, Cedar stops with an error, which denies; a replica of
another stack would allow. So conditions are less deep than half a megabyte can take:

    depth of one condition    40
    nodes of all together  1,000
    elements of one set       64
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from ledger.chain.policy.errors import PolicyError

MAX_DEPTH: Final = 40
MAX_NODES: Final = 1_000
MAX_SET: Final = 64
VARIABLES: Final = ("principal", "action", "resource", "context")


class Effect(Enum):
    """What a rule does where all its conditions hold. One forbid outweighs every permit."""

    PERMIT = "permit"
    FORBID = "forbid"


class ConditionKind(Enum):
    """Whether the rule needs its condition, or the opposite."""

    WHEN = "when"
    UNLESS = "unless"


class UnaryOperator(Enum):
    """Operators of one operand."""

    NOT = "!"
    NEGATE = "neg"
    IS_EMPTY = "isEmpty"


class BinaryOperator(Enum):
    """Operators of two operands."""

    AND = "&&"
    OR = "||"
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    CONTAINS = "contains"
    CONTAINS_ALL = "containsAll"
    CONTAINS_ANY = "containsAny"


@dataclass(frozen=True, slots=True)
class Literal:
    """true, an integer or a string."""

    value: bool | int | str


@dataclass(frozen=True, slots=True)
class Variable:
    """One of `VARIABLES`."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """``of.name``"""

    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Has:
    """``of has name``"""

    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Like:
    """``of like "..."``; None stands for any characters."""

    of: Expression
    pattern: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """An operator and its operand."""

    operator: UnaryOperator
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between, or a method of the left with the right as its argument."""

    operator: BinaryOperator
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class SetOf:
    """``[a, b, ...]``"""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """``if condition then chosen else other``"""

    condition: Expression
    chosen: Expression
    other: Expression


Expression: TypeAlias = (
    Literal | Variable | Attribute | Has | Like | Unary | Binary | SetOf | Choice
)


@dataclass(frozen=True, slots=True)
class Condition:
    """``when { body }`` or ``unless { body }``"""

    kind: ConditionKind
    body: Expression


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``permit`` or ``forbid``, about every member, recording and use."""

    effect: Effect
    conditions: tuple[Condition, ...]


def read_rules(document: Any) -> tuple[Rule, ...]:
    """The rules of Cedar's JSON form of a policy set, in their order. Raises PolicyError."""
    if document.get("templates") or document.get("templateLinks"):
        raise PolicyError("templates are not for contracts")
    policies: Mapping[str, Any] = document["staticPolicies"]
    if not policies:
        raise PolicyError("a policy without a rule permits nobody")
    reader = _Reader()
    # "policy7" is the eighth of the text; a JSON object keeps no order.
    named = sorted(policies, key=lambda name: int(name.removeprefix("policy")))
    return tuple(reader.rule(policies[name]) for name in named)


def operands(node: Expression) -> tuple[Expression, ...]:
    """The nodes right under a node."""
    match node:
        case Attribute(of=of) | Has(of=of) | Like(of=of):
            return (of,)
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case SetOf(items=items):
            return items
        case Choice(condition=condition, chosen=chosen, other=other):
            return (condition, chosen, other)
        case _:
            return ()


class _Reader:
    def __init__(self) -> None:
        self._nodes = 0

    def rule(self, policy: Mapping[str, Any]) -> Rule:
        for name in ("principal", "resource"):
            if policy[name] not in ({"op": "All"}, {"op": "is", "entity_type": _TYPES[name]}):
                raise PolicyError(f"a {name} has no name here: say what it must be like in `when`")
        if policy["action"] not in _ACTIONS:
            raise PolicyError('the one action of a contract is Action::"use"')
        return Rule(
            Effect(policy["effect"]),
            tuple(
                Condition(ConditionKind(each["kind"]), self.expression(each["body"]))
                for each in policy["conditions"]
            ),
        )

    def expression(self, node: Any, depth: int = 1) -> Expression:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise PolicyError(
                f"a policy is at most {MAX_DEPTH} operators deep, and {MAX_NODES} large"
            )
        ((operator, operand),) = node.items()

        def under(value: Any) -> Expression:
            return self.expression(value, depth + 1)

        match operator:
            case "Value":
                return _literal(operand)
            case "Var":
                return Variable(operand)
            case ".":
                return Attribute(under(operand["left"]), operand["attr"])
            case "has":
                return Has(under(operand["left"]), operand["attr"])
            case "like":
                return Like(under(operand["left"]), tuple(map(_piece, operand["pattern"])))
            case "Set":
                return self._set(operand, under)
            case "if-then-else":
                return Choice(under(operand["if"]), under(operand["then"]), under(operand["else"]))
        if operator in _UNARY:
            return Unary(UnaryOperator(operator), under(operand["arg"]))
        if operator in _BINARY:
            return Binary(BinaryOperator(operator), under(operand["left"]), under(operand["right"]))
        raise PolicyError(
            f"{operator!r} is not for contracts: they know integers, strings, sets and attributes"
        )

    def _set(self, items: list[Any], under: Callable[[Any], Expression]) -> SetOf:
        if len(items) > MAX_SET:
            raise PolicyError(f"a set of a policy has at most {MAX_SET} elements")
        return SetOf(tuple(map(under, items)))


def _literal(value: Any) -> Literal:
    if isinstance(value, bool | int | str):
        return Literal(value)
    raise PolicyError("nobody and nothing has a name in a policy: say what it must be like")


def _piece(piece: Any) -> str | None:
    return None if piece == "Wildcard" else str(piece["Literal"])


_UNARY: Final = frozenset(each.value for each in UnaryOperator)
_BINARY: Final = frozenset(each.value for each in BinaryOperator)
_TYPES: Final = {"principal": "Member", "resource": "Recording"}
_USE: Final = {"type": "Action", "id": "use"}
_ACTIONS: Final = (
    {"op": "All"},
    {"op": "==", "entity": _USE},
    {"op": "in", "entity": _USE},
    {"op": "in", "entities": [_USE]},
)
