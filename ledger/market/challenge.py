"""How long a channel that pays a sale leaves its seller to answer a buyer's close, in blocks.

A buyer that took all can close with an old claim, or with none, and have its money back once
the challenge is over, unless the seller is there meanwhile. Heights are the clock, and anybody
can make it run by paying fees: the embedded engine makes a block each 0.2 s at the fastest. So
300 blocks are a minute at least, twice the half minute after which a supervisor starts a
storefront again at the latest.

Buyers open their channels with it, and storefronts take none with less. It costs an honest
buyer nothing while the storefront is there, which closes at once what a buyer is closing and
has paid into; a buyer that gives up without it waits for the blocks: five minutes where an
idle chain makes one a second.

A seller takes no payment in the last challenge before a channel expires. Channels outlive their
grants by two challenges and more (`ledger.market.paying`), so a grant that is good for fewer
blocks than the challenge has is bought and paid like any other.
"""

from __future__ import annotations

from typing import Final

from ledger.errors import RefusedError
from ledger.schema.chain_pb2 import Parameters

CHALLENGE_BLOCKS: Final = 300


def challenge_on(parameters: Parameters, chosen: int | None = None) -> int:
    """The challenge in blocks on a chain: what was chosen, or as many as both sides are used to.

    Raises RefusedError for a choice below what the chain asks for.
    """
    least = parameters.min_challenge
    if chosen is None:
        return max(CHALLENGE_BLOCKS, least)
    if chosen < least:
        raise RefusedError(
            f"a challenge of {chosen} blocks is less than the chain's least, {least}",
            hint=f"ask for {least} or more; {max(CHALLENGE_BLOCKS, least)} is usual",
        )
    return chosen
