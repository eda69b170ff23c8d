"""create_generators: points hashed one after the other (section 4.1.1).

    v = expand_message(seed, seed_dst, 48)
    for i = 1, 2, ...:  v = expand_message(v || u64be(i), seed_dst, 48)
                        generator i = hash_to_curve_g1(v, point_dst)

Points are made when first needed and kept, each backend its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zkproofs.errors import ParameterError
from zkproofs.group import G1, Expander, expand_message, group

MAX_GENERATORS: Final = 1 << 12
"""Most points of one chain. They are kept, and a proof's length may ask for them."""

_LINK_SIZE: Final = 48


@dataclass(frozen=True, slots=True)
class _Made:
    points: tuple[G1, ...]
    link: bytes
    """v after the last of them."""


_made: Final[dict[tuple[str, PointChain], _Made]] = {}


@dataclass(frozen=True, slots=True)
class PointChain:
    """The seed and the two tags that make one sequence of points."""

    expander: Expander
    seed: bytes
    seed_dst: bytes
    point_dst: bytes

    def points(self, count: int) -> tuple[G1, ...]:
        """The first ``count`` points; `ParameterError` above `MAX_GENERATORS`."""
        if not isinstance(count, int) or not 0 <= count <= MAX_GENERATORS:
            raise ParameterError(f"the number of generators is from 0 to {MAX_GENERATORS}")
        key = (group().name, self)
        made = _made.get(key) or _Made((), self._next(self.seed))
        if len(made.points) < count:
            # Built aside and stored whole: a second thread at worst repeats the work.
            made = self._extended(made, count)
            _made[key] = made
        return made.points[:count]

    def _next(self, message: bytes) -> bytes:
        return expand_message(message, self.seed_dst, _LINK_SIZE, self.expander)

    def _extended(self, made: _Made, count: int) -> _Made:
        points, link = list(made.points), made.link
        for i in range(len(points) + 1, count + 1):
            link = self._next(link + i.to_bytes(8, "big"))
            points.append(group().hash_to_g1(link, self.point_dst, self.expander))
        return _Made(tuple(points), link)
