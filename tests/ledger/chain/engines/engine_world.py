"""A small chain in a home of its own, and transactions for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ledger.chain.engines.settings import EngineSettings
from ledger.chain.genesis import Genesis
from ledger.chain.machine.writer import create_chain
from ledger.chain.transaction import sign_transaction
from ledger.ed25519 import PrivateKey
from ledger.schema.chain_payment_pb2 import Asset, Transfer
from ledger.schema.chain_pb2 import Allocation, Parameters, TransactionBody
from ledger.schema.chain_pb2 import Genesis as GenesisMessage

MONEY: Final = 10**12
QUICK: Final = EngineSettings(block_period_s=0.01, signature_processes=0, close_patience_s=5)
"""An engine for tests that do not want to wait, nor more processes."""
PATIENCE_S: Final = 60.0
"""How long a test waits for what must come."""
ORIGIN: Final = "chain.example/engines"


def person(number: int) -> PrivateKey:
    return PrivateKey.from_seed(sha256(b"a person of the engines' tests %d" % number).digest())


def name_of(key: PrivateKey) -> bytes:
    return bytes(key.public_key)


class EngineWorld:
    """The chain's genesis, the people that have money in it, and their next sequences."""

    def __init__(self, people: int = 4, **parameters: Any) -> None:
        self.people = [person(number) for number in range(people)]
        self.treasury = person(1_000_000)
        values = {
            "min_fee": 1,
            "treasury": name_of(self.treasury),
            "max_block_transactions": 100,
            "max_block_bytes": 1 << 20,
            "cap_delay": 10,
            "recovery_delay": 10,
            "max_overlap": 10,
            "min_challenge": 2,
            **parameters,
        }
        self.genesis = Genesis.make(
            GenesisMessage(
                version=1,
                origin=ORIGIN,
                time_ns=1_700_000_000_000_000_000,
                parameters=Parameters(**values),
                assets=[Asset(id=0, symbol="QPU", decimals=2)],
                allocations=[
                    Allocation(account=account, asset=0, amount=MONEY)
                    for account in sorted(map(name_of, self.people))
                ],
            )
        )
        self.chain = self.genesis.chain
        self.sequences = [0] * people

    def create(self, root: Path) -> Path:
        self.vkey = create_chain(root, self.genesis)
        return root

    def transfer(self, payer: int = 0, payee: int = 1, **fields: Any) -> bytes:
        """The payer's next transfer; ``amount``, ``memo`` or fields of the body to override."""
        message = Transfer(
            asset=0,
            recipient=name_of(self.people[payee]),
            amount=fields.pop("amount", 5),
            memo=fields.pop("memo", b""),
        )
        if "sequence" not in fields:
            fields["sequence"] = self.sequences[payer]
            self.sequences[payer] += 1
        values = {"expiry_height": 1 << 40, "fee": 1, **fields}
        return sign_transaction(
            self.chain, self.people[payer], TransactionBody(transfer=message, **values)
        )

    def transfers(self, count: int, payer: int = 0) -> list[bytes]:
        return [self.transfer(payer) for _ in range(count)]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)
