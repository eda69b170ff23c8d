"""The timeline of commitments: a lane for each robot, a mark for each thing, as SVG.

Each kind of mark has its own form and its own height in the lane, so that marks of one
moment do not hide each other, and so that paper without colour still tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger.report.axis import Axis
from ledger.report.markup import Markup, join, tag
from ledger.report.model import Mark, MarkKind
from ledger.report.words import moment, plural

WIDTH: Final = 960
_LEFT: Final = 214
_RIGHT: Final = WIDTH - 16
_LANE: Final = 46
_TOP: Final = 12
_LANES: Final = 32
"""Robots that get a lane; the busiest, where there are more."""
_NAME: Final = 30
"""Characters of a robot's name that fit beside its lane."""

_FORMS: Final = {
    MarkKind.RECORDING: ("g", -14),
    MarkKind.ANCHOR: ("a", -14),
    MarkKind.CHECKPOINT: ("f", 0),
    MarkKind.OFFER: ("b", -5),
    MarkKind.GRANT: ("c", 5),
    MarkKind.SALE: ("d", 14),
    MarkKind.ERASURE: ("e", 14),
}
"""Colour, and pixels below the middle of the lane."""


def timeline(marks: Sequence[Mark], clock: str) -> Markup | None:
    """The drawing, its times by ``clock``; None where nothing happened."""
    if not marks:
        return None
    lanes = _lanes(marks)
    shown = lanes[:_LANES]
    axis = Axis(min(m.time_ns for m in marks), max(m.time_ns for m in marks), _LEFT, _RIGHT)
    bottom = _TOP + _LANE * len(shown)
    places = {lane: _TOP + _LANE * number + _LANE // 2 for number, lane in enumerate(shown)}
    parts = [_tick(axis, time_ns, words, bottom) for time_ns, words in axis.ticks()]
    parts += [_lane(lane, y) for lane, y in places.items()]
    parts += [_mark(axis, mark, places[mark.lane]) for mark in marks if mark.lane in places]
    parts.append(_legend({mark.kind for mark in marks}, bottom + 44))
    drawing = tag(
        "svg",
        tag("title", "When robots anchored, offered, were granted and sold"),
        *parts,
        view_box=f"0 0 {WIDTH} {bottom + 58}",
        role="img",
    )
    first, last = moment(axis.first_ns), moment(axis.last_ns)
    said = f"{first}, by {clock}." if first == last else f"From {first} to {last}, by {clock}."
    more = len(lanes) - len(shown)
    if more:
        said += f" The busiest {len(shown)} of {plural(len(lanes), 'robot')} are drawn."
    return join(drawing, tag("p", said, class_="soft small"))


def _lanes(marks: Sequence[Mark]) -> list[str]:
    """The robots by name; where there are more than fit, the busiest first."""
    counted: dict[str, int] = {}
    for mark in marks:
        counted[mark.lane] = counted.get(mark.lane, 0) + mark.count
    names = sorted(counted)
    if len(names) > _LANES:
        names.sort(key=lambda lane: (-counted[lane], lane))
        names[:_LANES] = sorted(names[:_LANES])
    return names


def _tick(axis: Axis, time_ns: int, words: str, bottom: int) -> Markup:
    x = axis.at(time_ns)
    return join(
        tag("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"),
        tag("text", words, x=x, y=bottom + 16, text_anchor="middle", class_="soft"),
    )


def _lane(lane: str, y: int) -> Markup:
    return join(
        tag("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, class_="lane"),
        tag("text", tag("title", lane), clipped(lane, _NAME), x=0, y=y + 4),
    )


def _mark(axis: Axis, mark: Mark, middle: int) -> Markup:
    colour, below = _FORMS[mark.kind]
    said = f"{mark.words}, {moment(mark.time_ns)}"
    if mark.count > 1:
        said = f"{mark.count:,} times {mark.kind.value}, the first: {said}"
    return tag(
        "g",
        tag("title", said),
        _form(mark.kind, min(mark.count.bit_length() - 1, 3)),
        transform=f"translate({axis.at(mark.time_ns)} {middle + below})",
        class_=colour,
    )


def _form(kind: MarkKind, larger: int) -> Markup:
    """A form around (0, 0). ``larger`` is for marks that stand for several."""
    size = 4 + larger
    match kind:
        case MarkKind.ANCHOR | MarkKind.RECORDING:
            return tag("rect", x=-1 - larger, y=-5, width=2 + 2 * larger, height=10, rx=1)
        case MarkKind.OFFER:
            return tag("path", d=f"M0 {-size}L{size} 0L0 {size}L{-size} 0Z")
        case MarkKind.SALE:
            return tag("rect", x=-size + 1, y=-size + 1, width=2 * size - 2, height=2 * size - 2)
        case MarkKind.ERASURE:
            return tag("path", d=f"M{-size} {size - 1}L0 {-size}L{size} {size - 1}Z")
        case _:
            return tag("circle", r=size)


def _legend(kinds: set[MarkKind], y: int) -> Markup:
    parts, x = [], _LEFT
    for kind in MarkKind:
        if kind in kinds:
            form = tag("g", _form(kind, 0), transform=f"translate({x} {y - 4})")
            words = tag("text", kind.value, x=x + 11, y=y, class_="soft")
            parts.append(join(tag("g", form, class_=_FORMS[kind][0]), words))
            x += 34 + 7 * len(kind.value)
    return join(*parts)


def clipped(words: str, most: int) -> str:
    """The beginning of what does not fit."""
    return words if len(words) <= most else f"{words[: most - 1]}…"
