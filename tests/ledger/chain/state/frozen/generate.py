"""Write the frozen proofs again: ``python -m tests.ledger.chain.state.frozen.generate``.

A map of three heights, the proofs of keys that are there and of keys that are not.
These were said once and must verify for ever. Running this must change nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger.chain.state.store import open_state
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.state.chain_store import Changes, add_height
from tests.ledger.chain.state.crowded_keys import crowd

FROZEN = Path(__file__).with_name("proofs_v1.json")

BLOCKS: tuple[Changes, ...] = (
    {},
    {b"\x01only": b"a value"},
    {
        **dict.fromkeys(crowd(12, 20), b"crowded"),
        **{b"\x07account %d" % number: number.to_bytes(8, "big") for number in range(200)},
        b"\x01only": None,
        b"\x02long" + b"k" * 200: b"v" * 300,
        b"\x03empty": b"",
    },
)
ASKED = (
    b"\x01only",
    b"\x02long" + b"k" * 200,
    b"\x03empty",
    b"\x07account 0",
    b"\x07account 200",
    crowd(12, 20)[3],
    crowd(12, 21)[20],
)


def build() -> list[dict[str, Any]]:
    """For every height its root, and for every key asked for the value and the proof."""
    storage, heights = MemoryStorage(), []
    for height, changes in enumerate(BLOCKS):
        add_height(storage, height, changes)
        with storage.read() as transaction:
            state = open_state(transaction)
            answers = []
            for key in ASKED:
                value = state.get(key)
                answers.append(
                    {
                        "key": key.hex(),
                        "value": None if value is None else value.hex(),
                        "proof": state.prove(key).to_bytes().hex(),
                    }
                )
        heights.append({"root": state.root.hex(), "answers": answers})
    return heights


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(build(), indent=1) + "\n")
