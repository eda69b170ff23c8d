"""A policy's text before Cedar parses it.

Cedar's parser goes down a level for each bracket that is open, on the stack of whoever
calls it: a thousand parentheses, a text of 2 KB, end the process. So a text is first read
as tokens, which takes no stack, and refused if it could come near that:

    bytes of the text                              8,192
    policies (semicolons)                             32
    brackets open at once                             12
    operators in one policy, which bound its depth   160
    bytes of one string                              256
    patterns (`like`), each as long as its text       16

Tokens are those of Cedar's grammar: comments run from ``//`` to the end of the line, strings
are in double quotes with backslashes, and outside of both everything is ASCII.
"""

from __future__ import annotations

import re
from typing import Final

from ledger.chain.policy.errors import PolicyError

MAX_BYTES: Final = 8_192
MAX_POLICIES: Final = 32
MAX_OPEN: Final = 12
MAX_OPERATORS: Final = 160
MAX_STRING: Final = 256
MAX_PATTERNS: Final = 16
"""A pattern of many stars takes time that grows with its length times that of the text."""

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>[ \t\r\n]+|//[^\r\n]*)
    | (?P<string>"(?:\\.|[^"\\])*")
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>[0-9]+)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<end>;)
    | (?P<slot>\?)
    | (?P<operator>&&|\|\||[=!<>]=|::|[-+*!<>.])
    | (?P<mark>[,:@])
    """,
    re.VERBOSE,
)
_OPERATOR_WORDS: Final = frozenset({"if", "has", "like", "in", "is"})
# C0 but for tab and line ends, DEL and C1: a policy shows what it says.
_CONTROL: Final = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]")


def check_text(text: str) -> None:
    """Raise PolicyError for a text that is not given to Cedar's parser."""
    if not text.strip():
        raise PolicyError("a policy of no text permits nobody")
    size = len(text.encode("utf-8"))
    if size > MAX_BYTES:
        raise PolicyError(f"a policy of {size} bytes; {MAX_BYTES} at most")
    if _CONTROL.search(text):
        raise PolicyError("a policy has no control characters but tabs and line ends")
    at = opened = operators = policies = patterns = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise PolicyError(f"line {_line(text, at)}: {text[at]!r} has no meaning in a policy")
        match token.lastgroup:
            case "open":
                opened += 1
            case "close":
                opened -= 1
            case "operator":
                operators += 1
            case "word" if token[0] in _OPERATOR_WORDS:
                operators += 1
                patterns += token[0] == "like"
            case "end":
                policies, operators = policies + 1, 0
            case "string" if len(token[0].encode("utf-8")) > MAX_STRING:
                raise PolicyError(
                    f"line {_line(text, at)}: a string of a policy has at most {MAX_STRING} bytes"
                )
            case "slot":
                raise PolicyError(f"line {_line(text, at)}: templates are not for contracts")
        if opened > MAX_OPEN or operators > MAX_OPERATORS or policies > MAX_POLICIES:
            raise PolicyError(
                f"line {_line(text, at)}: too much at once; {MAX_OPEN} open brackets,"
                f" {MAX_OPERATORS} operators a policy and {MAX_POLICIES} policies at most"
            )
        if patterns > MAX_PATTERNS:
            raise PolicyError(
                f"line {_line(text, at)}: a policy's text has at most {MAX_PATTERNS} patterns",
                hint="ask for tags, which are compared as a whole",
            )
        at = token.end()


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
