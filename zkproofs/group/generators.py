"""Nothing-up-my-sleeve generators of G1: points whose relations nobody knows.

    generator i of a tag = hash_to_g1(tag || u32be(i), DST), i = 0, 1, 2, ...

in the suite BLS12381G1_XMD:SHA-256_SSWU_RO_ of RFC 9380, under the one published `DST`.
No tag's points are another tag's: messages of two tags differ in length or in the tag.
Points are made on demand and kept, each backend its own.
"""

from __future__ import annotations

from typing import Final

from zkproofs.errors import ParameterError
from zkproofs.group.interface import G1
from zkproofs.group.selection import group

DST: Final = b"QUIPU-ZKPROOFS-V1-GENERATORS_BLS12381G1_XMD:SHA-256_SSWU_RO_"
"""The domain separation tag of every generator."""

MAX_GENERATORS: Final = 1 << 20
"""Most generators of one tag; more is taken for a mistake, since they are kept."""

_made: Final[dict[tuple[str, bytes], tuple[G1, ...]]] = {}


def generators(tag: bytes, count: int) -> tuple[G1, ...]:
    """The first ``count`` generators of ``tag``.

    Raises `ParameterError` for an empty tag, or a count that is negative or above
    `MAX_GENERATORS`.
    """
    if not isinstance(tag, bytes) or not tag:
        raise ParameterError("a generator tag is bytes, and not empty")
    if not isinstance(count, int) or not 0 <= count <= MAX_GENERATORS:
        raise ParameterError(f"the number of generators is from 0 to {MAX_GENERATORS}")
    backend = group()
    key = (backend.name, tag)
    made = _made.get(key, ())
    if len(made) < count:
        # Built aside and stored whole: a second thread at worst repeats the work.
        made += tuple(
            backend.hash_to_g1(tag + i.to_bytes(4, "big"), DST) for i in range(len(made), count)
        )
        _made[key] = made
    return made[:count]
