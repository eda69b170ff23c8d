"""Statements: every movement of an account's money, told from a chain's own blocks.

A statement is made by reading blocks in order, from the genesis on, and needs no state. Each
movement is one line with the balance after it, so that whoever has the account's balance
from elsewhere (`ledger.chain.light`) sees whether the statement is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.channel.identity import channel_id
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.result import Result
from ledger.chain.sponsorship import pool_account
from ledger.chain.transaction import Transaction, parse_transaction
from ledger.schema.chain_pb2 import EVENT_KIND_CHANNEL_CLOSED


class Movement(Enum):
    """Why money moved; the value is the word that a statement has for it."""

    ALLOCATED = "allocated"
    """Given by the genesis."""
    MINTED = "minted"
    SENT = "sent"
    RECEIVED = "received"
    FEE = "fee"
    FEE_EARNED = "fee-earned"
    """Fees that others paid; the treasury's."""
    DEPOSITED = "deposited"
    """Into a channel."""
    EARNED = "earned"
    """Out of a channel that paid this account."""
    RETURNED = "returned"
    """Out of a channel that this account paid into."""


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


@dataclass(slots=True)
class _Channel:
    payer: bytes
    payee: bytes
    asset: int
    deposit: int


class Statement:
    """Takes a chain's blocks in order and tells what moved in one account."""

    def __init__(self, genesis: Genesis, account: bytes) -> None:
        self._genesis: Final = genesis
        self._account: Final = account
        self._channels: dict[bytes, _Channel] = {}
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
            for movement, other, asset, amount, memo in self._movements(transaction, result):
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

    def _movements(self, transaction: Transaction, result: Result) -> Iterator[_Move]:
        """What a transaction that was carried out moved in the account, in order."""
        yield from self._fee(transaction)
        signer, message = transaction.signer, _fields(transaction)
        match transaction.action:
            case "transfer":
                memo = message.memo
                yield from self._paid(
                    signer, message.recipient, message.asset, message.amount, memo
                )
            case "pay_from_pool":
                pool = pool_account(message.fleet)
                yield from self._paid(pool, message.recipient, message.asset, message.amount)
            case "mint":
                for output in message.outputs:
                    if output.account == self._account:
                        yield Movement.MINTED, b"", message.asset, output.amount, b""
            case "open_channel":
                channel = channel_id(self._genesis.chain, signer, transaction.sequence)
                opened = _Channel(signer, message.payee, message.asset, message.deposit)
                if self._account in (signer, message.payee):
                    self._channels[channel] = opened
                yield from self._deposit(opened, message.deposit)
            case "top_up_channel":
                found = self._channels.get(message.channel)
                if found is not None:
                    found.deposit += message.amount
                    yield from self._deposit(found, message.amount)
        for event in result.events:
            if event.kind == EVENT_KIND_CHANNEL_CLOSED:
                yield from self._closed(event.subject, event.amount)

    def _fee(self, transaction: Transaction) -> Iterator[_Move]:
        fee, treasury = transaction.fee, self._genesis.parameters.treasury
        payer = pool_account(transaction.sponsor) if transaction.sponsor else transaction.signer
        if fee and payer == self._account:
            yield Movement.FEE, treasury, FEE_ASSET, -fee, b""
        if fee and treasury == self._account:
            yield Movement.FEE_EARNED, payer, FEE_ASSET, fee, b""

    def _paid(
        self, payer: bytes, payee: bytes, asset: int, amount: int, memo: bytes = b""
    ) -> Iterator[_Move]:
        if payer == self._account:
            yield Movement.SENT, payee, asset, -amount, memo
        if payee == self._account:
            yield Movement.RECEIVED, payer, asset, amount, memo

    def _deposit(self, channel: _Channel, amount: int) -> Iterator[_Move]:
        if channel.payer == self._account:
            yield Movement.DEPOSITED, channel.payee, channel.asset, -amount, b""

    def _closed(self, name: bytes, claimed: int) -> Iterator[_Move]:
        channel = self._channels.pop(name, None)
        if channel is None:
            return
        rest = channel.deposit - claimed
        if claimed and channel.payee == self._account:
            yield Movement.EARNED, channel.payer, channel.asset, claimed, b""
        if rest and channel.payer == self._account:
            yield Movement.RETURNED, channel.payee, channel.asset, rest, b""


_Move = tuple[Movement, bytes, int, int, bytes]
"""Movement, counterparty, asset, amount, memo."""


def _fields(transaction: Transaction) -> Any:
    """The message, whose fields its action names."""
    return transaction.message
