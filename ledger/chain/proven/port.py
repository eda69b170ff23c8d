"""What is asked of a chain at the least, whatever leads to it.

Every `ledger.chain.engines.service.ChainService` is one; so is a chain that is asked over
ROS. Nothing that one says is believed before it is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger.chain.engines.service import Inclusion
from ledger.chain.machine.proposal import Admission
from ledger.schema.chain_pb2 import TransactionBody


class ChainPort(Protocol):
    """A chain that can be asked. Calls raise `EngineError` where it cannot be reached, and
    may be repeated until it can."""

    def submit(self, transactions: Sequence[bytes]) -> list[Admission]:
        """Offer transactions; says of each whether it waits for a block now."""
        ...

    def wait(self, transaction: bytes, timeout_s: float) -> Inclusion:
        """Wait until the transaction with this id is in a durable block.

        Raises `RefusalError` for one that was dropped, `NotIncludedError` when the time is
        over, `NotFoundError` for one that does not wait.
        """
        ...

    def answer(self, key: bytes) -> bytes:
        """What the newest state says of a key: a StateAnswer."""
        ...

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The consistency proof between two sizes of the chain's log, in leaves."""
        ...

    def close(self) -> None:
        """End; whoever waits for an answer is told. A second call does nothing."""
        ...


class Signer(Protocol):
    """Who signs transactions; `ledger.wallet.wallet.Wallet` does."""

    @property
    def account(self) -> bytes:
        """The account that it signs for."""
        ...

    def sign(self, chain: bytes, body: TransactionBody) -> bytes:
        """A transaction with this body."""
        ...
