"""A whole chain in a store, small and the same in every run: machine, log, operator, witness.

::

    chain = SmallChain(tmp_path)
    header = chain.block([chain.pay("alice", "bob", 5)])
    receipt = chain.receipts.receipt(transaction_id(transaction))

Every block is checkpointed unless it is told not to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.kept_heights import KEPT_HEIGHTS
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.proposal import Finalized, Proposal
from ledger.chain.machine.receipts import ReceiptMaker
from ledger.chain.state.store import open_state
from ledger.chain.state_keys import account_key
from ledger.chain.transaction import sign_transaction
from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.log import Log
from ledger.note import CosignatureSigner, NoteSigner, VerifierKey
from ledger.published import PublishedCheckpoint
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.storage import Storage
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.rules.chain_world import (
    SECOND,
    START_NS,
    account_of,
    body_of,
    known_key,
    make_genesis,
)


def transaction_id(encoded: bytes) -> bytes:
    return leaf_id(LeafKind.TRANSACTION, encoded)


def published_in(folder: Path, genesis: Genesis) -> PublishedCheckpoint:
    return PublishedCheckpoint(folder / "published", log_id(genesis.origin))


class SmallChain:
    """``parameters`` go to the genesis, as in `ChainWorld`; ``kept`` heights stay provable."""

    def __init__(
        self,
        folder: Path,
        storage: Storage | None = None,
        kept: int = KEPT_HEIGHTS,
        operator: str = "operator",
        **parameters: Any,
    ) -> None:
        self.genesis: Final = make_genesis(**parameters)
        self.storage: Final = storage or MemoryStorage()
        self.operator: Final = self.signer_of(operator, self.genesis.origin)
        published = published_in(folder, self.genesis)
        vkey = self.operator.verifier_key
        self.log: Final = Log.create(self.storage, self.genesis.origin, vkey, published)
        start_chain(self.storage, self.log, self.genesis.encoded)
        self.machine: Final = StateMachine(self.storage, self.log, kept_heights=kept)
        self.receipts: Final = ReceiptMaker(self.storage, self.log)
        self.sequences: dict[bytes, int] = {}

    @staticmethod
    def signer_of(name: str, origin: str = "chain.example/test") -> NoteSigner:
        """A known key in the role of a chain's operator."""
        return NoteSigner(origin, known_key(name))

    @property
    def chain(self) -> bytes:
        return self.genesis.chain

    @property
    def vkey(self) -> VerifierKey:
        return self.operator.verifier_key

    def sign(self, key: PrivateKey | str, message: Message, **fields: Any) -> bytes:
        """A transaction of the account's next sequence, whether or not it gets anywhere."""
        signer = known_key(key) if isinstance(key, str) else key
        name = account_of(signer)
        if "sequence" not in fields:
            fields["sequence"] = self.sequences.get(name, 0)
            self.sequences[name] = fields["sequence"] + 1
        values = {"expiry_height": 1_000_000, "fee": self.genesis.parameters.min_fee, **fields}
        return sign_transaction(self.chain, signer, body_of(message, **values))

    def pay(self, payer: str, payee: str, amount: int, **fields: Any) -> bytes:
        """A transfer of asset 0 between known keys."""
        transfer = Transfer(recipient=account_of(known_key(payee)), amount=amount)
        return self.sign(payer, transfer, **fields)

    def propose(
        self, transactions: Sequence[bytes], attachments: Mapping[bytes, bytes] | None = None
    ) -> Proposal:
        info = self.machine.info()
        time_ns = START_NS + (info.height + 1) * SECOND
        return Proposal(info.height + 1, time_ns, transactions, attachments or {})

    def block(
        self,
        transactions: Sequence[bytes] = (),
        attachments: Mapping[bytes, bytes] | None = None,
        *,
        checkpoint: bool = True,
    ) -> Header:
        """Finalize and commit a block whatever comes of its transactions."""
        return self.finish(transactions, attachments, checkpoint=checkpoint).header

    def finish(
        self,
        transactions: Sequence[bytes],
        attachments: Mapping[bytes, bytes] | None = None,
        *,
        checkpoint: bool = True,
    ) -> Finalized:
        finalized = self.machine.finalize(self.propose(transactions, attachments))
        self.machine.commit()
        if checkpoint:
            self.checkpoint()
        return finalized

    def checkpoint(self) -> bytes:
        return self.log.checkpoint([self.operator])

    def rows(self, height: int | None = None) -> dict[bytes, bytes]:
        """Every row of the state."""
        with self.storage.read() as transaction:
            return dict(open_state(transaction, height).items())

    def balance(self, name: str) -> int:
        row = self.rows().get(account_key(account_of(known_key(name))))
        return Account.decode(row).amount(0) if row else 0


def witness(name: str = "witness") -> CosignatureSigner:
    """A witness with a known key."""
    return CosignatureSigner(f"{name}.example", known_key(name))
