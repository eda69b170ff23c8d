"""What happened on a chain, by its blocks: the engine's word, which leads to what is proven."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.result import Result
from ledger.cli.chain_access import ChainAccess
from ledger.errors import NotFoundError


def subjects(access: ChainAccess, kind: int) -> Iterator[tuple[bytes, bytes]]:
    """(subject, transaction) of each event of a kind, in order, as far as the blocks are here.

    Raises what reading the chain raises.
    """
    for height in range(1, access.view.info().height + 1):
        try:
            block = access.view.block(height)
        except NotFoundError:
            continue  # from before a snapshot
        for transaction, result in zip(block.transactions, block.results, strict=True):
            for event in Result.parse(result).events:
                if event.kind == kind:
                    yield event.subject, transaction
