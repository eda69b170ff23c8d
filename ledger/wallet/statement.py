"""Statements: every movement of an account's money, told from a chain's own blocks.

A statement is made by reading blocks in order, from the genesis on, and needs no state. Each
movement is one line with the balance after it, so that whoever has the account's balance
from elsewhere (`ledger.chain.light`) sees whether the statement is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.result import Result
from ledger.chain.transaction import parse_transaction
from ledger.wallet.movements import Movement, Movements

__all__ = ["Line", "Movement", "Statement"]


@dataclass(frozen=True, slots=True)
class Line:
    """One movement. ``amount`` is negative for what leaves; money is in units."""

    height: int
    time_ns: int
    transaction: bytes
    """Its id; none for the genesis."""
    movement: Movement
    counterparty: bytes
    """The other account, a channel's other end, or nothing."""
    asset: int
    amount: int
    balance: int
    """Of this asset, after the line."""
    memo: bytes = b""


class Statement:
    """Takes a chain's blocks in order and tells what moved in one account."""

    def __init__(self, genesis: Genesis, account: bytes) -> None:
        self._genesis: Final = genesis
        self._account: Final = account
        self._movements: Final = Movements(genesis, account)
        self.balances: dict[int, int] = {}
        """By asset, after the last block that was taken."""

    def opening(self) -> list[Line]:
        """What the genesis gave the account."""
        place = 0, self._genesis.time_ns, b""
        return [
            self._line(*place, Movement.ALLOCATED, b"", item.asset, item.amount)
            for item in self._genesis.message.allocations
            if item.account == self._account
        ]

    def block(
        self, header: Header, transactions: Sequence[bytes], results: Sequence[bytes]
    ) -> list[Line]:
        """What moved in the next block. Raises MalformedError for results that are none."""
        lines = []
        for encoded, row in zip(transactions, results, strict=True):
            result = Result.parse(row)
            if result.code != ResultCode.OK:
                continue  # it moved nothing, not even its fee
            try:
                transaction = parse_transaction(self._genesis.chain, encoded)
            except RefusalError:
                continue
            place = header.height, header.time_ns, transaction.id
            for movement, other, asset, amount, memo in self._movements.of(transaction, result):
                lines.append(self._line(*place, movement, other, asset, amount, memo))
        return lines

    def _line(
        self,
        height: int,
        time_ns: int,
        transaction: bytes,
        movement: Movement,
        counterparty: bytes,
        asset: int,
        amount: int,
        memo: bytes = b"",
    ) -> Line:
        balance = self.balances.get(asset, 0) + amount
        self.balances[asset] = balance
        return Line(
            height, time_ns, transaction, movement, counterparty, asset, amount, balance, memo
        )
