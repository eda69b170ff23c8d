"""HTML and SVG out of parts: whatever is no `Markup` yet is text, and is escaped.

Names come from strangers. Beside the five characters that mean something in HTML, characters
that are not seen, or that turn the direction of what follows, are written out.
"""

from __future__ import annotations

import unicodedata
from html import escape as escape_html
from typing import Final

_VOID: Final = frozenset({"meta", "br"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def visible(text: str) -> str:
    r"""The text with every character that hides or reorders others written as ``\u{202e}``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{{{ord(each):x}}}"
        if unicodedata.category(each)[0] == "C" or each in "\u2028\u2029"
        else each
        for each in text
    )


def text(value: object) -> Markup:
    """Anything as HTML."""
    return value if isinstance(value, Markup) else Markup(escape_html(visible(str(value))))


def tag(element: str, /, *children: object, **attributes: object) -> Markup:
    """An element. ``class_`` is the attribute ``class``, ``view_box`` is ``viewBox``.

    An attribute of None is left out.
    """
    written = "".join(
        f' {_ATTRIBUTES.get(key, key.replace("_", "-"))}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Markup(f"<{element}{written}>")
    return Markup(f"<{element}{written}>{join(*children)}</{element}>")


def join(*children: object) -> Markup:
    """Parts after each other; None is nothing."""
    return Markup("".join(text(each) for each in children if each is not None))


def name(value: str) -> Markup:
    """A name that a stranger gave: apart from what is around it, whatever its direction."""
    return tag("bdi", value)


_ATTRIBUTES: Final = {"class_": "class", "view_box": "viewBox"}
