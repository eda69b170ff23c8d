"""Write the frozen chain again: ``python -m tests.ledger.chain.frozen.generate``.

A genesis, transactions of every kind, what came of them, headers and the state at the end.
They were said once and must be read, and mean the same, for ever. Running this must change
nothing; a new version of the format gets a file of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.ledger.chain.frozen.eventful_chain import EventfulChain, build

FROZEN = Path(__file__).with_name("chain_v1.json")


def frozen(chain: EventfulChain) -> dict[str, Any]:
    """The chain as hex."""
    return {
        "genesis": chain.genesis.encoded.hex(),
        "chain": chain.chain.hex(),
        "blocks": [
            {
                "transactions": [
                    {
                        "transaction": encoded.hex(),
                        "id": result.transaction.hex(),
                        "result": result.encode().hex(),
                    }
                    for encoded, result in block.transactions
                ],
                "header": block.header.encode().hex(),
                "app_hash": block.header.app_hash.hex(),
            }
            for block in chain.blocks
            if block.header
        ],
        "state": {key.hex(): row.hex() for key, row in sorted(chain.rows().items())},
    }


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(frozen(build()), indent=1) + "\n")
