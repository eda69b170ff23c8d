"""PayWord: a payment is the preimage of the last one (Rivest and Shamir, 1996, section 3).

::

    w_{i-1} = SHA256(channel id || u64be(i) || w_i)        1 <= i <= n, n at most 65,536

The payer draws w_n at random and puts w_0 on the chain. Revealing w_i pays i units of the
channel's price: nobody else can know it, and one hash leads from it to w_{i-1}. Channel and
index are hashed, so a link is none of another channel, nor at another place of its own,
and what lies beyond w_n is no link of anything.

On the wire a link is the `PayWord` message of ``chain_channel.proto``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import isqrt
from struct import Struct
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.errors import MalformedError, VerificationError
from ledger.schema import chain_channel_pb2
from ledger.schema.canonical import parse_message, serialize_message

LINK_SIZE: Final = 32
MAX_LINKS: Final = 65_536

_PREIMAGE: Final = Struct(">32sQ32s")


@dataclass(frozen=True, slots=True)
class Link:
    """A claim to ``index`` units of a PayWord channel's price: w_i."""

    index: int
    link: bytes = field(repr=False)
    """A secret until it is sent."""

    def encode(self) -> bytes:
        """Return the message. Raises MalformedError for what is no link."""
        _check_index(self.index)
        message = chain_channel_pb2.PayWord(index=self.index, link=self.link)
        return serialize_message(message, "link")

    @classmethod
    def parse(cls, encoded: bytes) -> Link:
        """Read a link of good form. Raises MalformedError."""
        message = parse_message(chain_channel_pb2.PayWord, encoded, "link")
        _check_index(message.index)
        if len(message.link) != LINK_SIZE:
            raise MalformedError(f"a link is {LINK_SIZE} bytes")
        return cls(message.index, message.link)


def hash_back(channel: bytes, index: int, link: bytes, to: int) -> bytes:
    """Return w_to as it follows from w_index = ``link``, by ``index - to`` hashes.

    ``channel`` and ``link`` are 32 bytes, and ``0 <= to <= index``: the caller has checked.
    """
    pack = _PREIMAGE.pack
    for i in range(index, to, -1):
        # w_{i-1} = SHA256(channel id || u64be(i) || w_i)
        link = sha256(pack(channel, i, link)).digest()
    return link


class PayWordChain:
    """The payer's side: links of one channel, from the seed w_n.

    About every sqrt(n)-th link is kept, and the links between two of those once one is
    asked for: 2 sqrt(n) links of memory, and one hash a payment on average.
    """

    __slots__ = ("_block", "_block_start", "_channel", "_checkpoints", "_count", "_step")

    def __init__(self, channel: bytes, seed: bytes, count: int) -> None:
        """Compute the chain of ``count`` links that ends in ``seed``, with ``count`` hashes.

        Raises MalformedError for ids or seeds that are not 32 bytes, and for no or too
        many links.
        """
        if len(channel) != ID_SIZE or len(seed) != LINK_SIZE:
            raise MalformedError("a channel's id and a seed are 32 bytes each")
        _check_index(count)
        self._channel: Final = channel
        self._count: Final = count
        self._step: Final = isqrt(count)
        # _checkpoints[k] = w_{min(k * step, n)}
        tops = [*range(0, count, self._step), count]
        checkpoints = [seed]
        for top, below in zip(tops[:0:-1], tops[-2::-1], strict=True):
            checkpoints.append(hash_back(channel, top, checkpoints[-1], below))
        self._checkpoints: Final = checkpoints[::-1]
        self._block_start = 0
        self._block: list[bytes] = []

    def __repr__(self) -> str:
        return f"PayWordChain({self._channel.hex()[:16]}..., {self._count} links)"

    @property
    def count(self) -> int:
        """n."""
        return self._count

    @property
    def w0(self) -> bytes:
        """What goes on the chain."""
        return self._checkpoints[0]

    def link(self, index: int) -> Link:
        """Return w_index, 1 to n. Raises MalformedError for another index."""
        if not 1 <= index <= self._count:
            raise MalformedError(f"the channel has links 1 to {self._count}")
        return Link(index, self._between(index))

    def _between(self, index: int) -> bytes:
        block, offset = divmod(index - 1, self._step)
        start = block * self._step
        if start != self._block_start or not self._block:
            top = min(start + self._step, self._count)
            link = self._checkpoints[block + 1]
            links = [link]
            for i in range(top, start + 1, -1):
                # w_{i-1} = SHA256(channel id || u64be(i) || w_i)
                link = sha256(_PREIMAGE.pack(self._channel, i, link)).digest()
                links.append(link)
            # w_{start+1} .. w_{top}
            self._block_start, self._block = start, links[::-1]
        return self._block[offset]


class PayWordReceiver:
    """The payee's side: the newest link that is known to be good, and what follows from it."""

    __slots__ = ("_channel", "_count", "_index", "_newest")

    def __init__(self, channel: bytes, count: int, newest: bytes, index: int = 0) -> None:
        """Begin at w_index = ``newest``, which is trusted: w_0 of the chain, or one kept since.

        Raises MalformedError for sizes and indexes that no channel has.
        """
        if len(channel) != ID_SIZE or len(newest) != LINK_SIZE:
            raise MalformedError("a channel's id and a link are 32 bytes each")
        _check_index(count)
        if not 0 <= index <= count:
            raise MalformedError(f"the channel has links 0 to {count}")
        self._channel: Final = channel
        self._count: Final = count
        self._newest = newest
        self._index = index

    @property
    def index(self) -> int:
        """How many units were paid."""
        return self._index

    @property
    def newest(self) -> bytes:
        """w_index, which shows it."""
        return self._newest

    def accept(self, claim: Link) -> int:
        """Take a later link, with one hash for each unit it pays; how many those are.

        Raises VerificationError for a link that is not this channel's at that index, does
        not pay more, or lies beyond n. The receiver is then as it was.
        """
        index, link, known = claim.index, claim.link, self._index
        if (
            known < index <= self._count
            and len(link) == LINK_SIZE
            and hash_back(self._channel, index, link, known) == self._newest
        ):
            self._index, self._newest = index, link
            return index - known
        raise self._refusal(claim)

    def accept_each(self, links: Sequence[bytes]) -> None:
        """Take the next ``len(links)`` links, w_{index+1} first, each checked by itself.

        Raises VerificationError for the first that is not the next link; those before it
        were taken.
        """
        channel, pack, newest, index = self._channel, _PREIMAGE.pack, self._newest, self._index
        room = self._count - index
        try:
            for link in links[:room]:
                # Packing pads and cuts, so the size counts too.
                # w_{i-1} = SHA256(channel id || u64be(i) || w_i)
                if (
                    sha256(pack(channel, index + 1, link)).digest() != newest
                    or len(link) != LINK_SIZE
                ):
                    raise VerificationError(f"link {index + 1} is not of this channel")
                index += 1
                newest = link
        finally:
            self._newest, self._index = newest, index
        if len(links) > room:
            raise VerificationError(f"link {index + 1} of a channel of {self._count} links")

    def _refusal(self, claim: Link) -> VerificationError:
        index = claim.index
        if index > self._count:
            return VerificationError(f"link {index} of a channel of {self._count} links")
        if index <= self._index:
            return VerificationError(f"link {index} pays nothing: {self._index} units are paid")
        return VerificationError(f"link {index} is not of this channel")


def _check_index(index: int) -> None:
    if not 1 <= index <= MAX_LINKS:
        raise MalformedError(f"a PayWord channel has 1 to {MAX_LINKS} links, each with its index")
