"""Write what a chain handed out again: ``python -m tests.ledger.chain.light.frozen.generate``.

Receipts, signed headers, answers of presence and absence, consistency proofs and a snapshot.
They were said once and must verify for ever. Running this must change nothing.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ledger.chain.machine.snapshot import SnapshotStore
from ledger.chain.state_keys import PARAMETERS_KEY, account_key
from tests.ledger.chain.machine.small_chain import SmallChain, transaction_id
from tests.ledger.chain.rules.chain_world import account_of, known_key

FROZEN = Path(__file__).with_name("handed_out_v1.json")
ASKED = (
    account_key(account_of(known_key("bob"))),
    account_key(account_of(known_key("carol"))),
    account_key(account_of(known_key("nobody"))),
    PARAMETERS_KEY,
    b"\x30" + bytes(32),
)


def build(folder: Path) -> dict[str, Any]:
    """A chain of four blocks, and after each what it says of itself."""
    chain = SmallChain(folder / "chain", min_fee=1)
    blocks: list[dict[str, Any]] = []
    size = 0
    for number in range(1, 5):
        payments = [chain.pay("alice", "bob", number)]
        if number > 1:
            payments += [chain.pay("bank", "carol", number) for _ in range(number)]
            payments.append(chain.pay("bob", "alice", 1, sequence=9))  # refused
        chain.block(payments)
        blocks.append(
            {
                "signed_header": chain.receipts.signed_header().hex(),
                "consistency": [
                    step.hex() for step in chain.log.prove_consistency(size, chain.log.size)
                ]
                if size
                else [],
                "receipts": [
                    chain.receipts.receipt(transaction_id(each)).hex() for each in payments
                ],
                "answers": [chain.receipts.answer(key).hex() for key in ASKED],
                "values": [value and value.hex() for value in map(chain.rows().get, ASKED)],
            }
        )
        size = chain.log.size
    store = SnapshotStore(folder / "snapshots")
    taken = store.take(chain.storage)
    return {
        "chain": chain.chain.hex(),
        "vkey": chain.vkey.encode(),
        "asked": [key.hex() for key in ASKED],
        "blocks": blocks,
        "old_answer": chain.receipts.answer(ASKED[0], 2).hex(),
        "manifest": store.manifest(4).hex(),
        "chunks": [store.load_chunk(4, number).hex() for number in range(taken.chunks)],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        FROZEN.write_text(json.dumps(build(Path(made)), indent=1) + "\n")
