"""What transactions that were carried out move in one account, from their bytes and results alone.

Channels and sales are remembered from their opening to their end, and of contracts, offers and
grants the asset that they are paid in. The rest a result says itself: how much was paid, and
to whom royalties went.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from ledger.chain.account import FEE_ASSET
from ledger.chain.channel.identity import channel_id
from ledger.chain.genesis import Genesis
from ledger.chain.result import Result
from ledger.chain.sponsorship import pool_account
from ledger.chain.transaction import Transaction
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CHANNEL_CLOSED,
    EVENT_KIND_CONTRACT_DEPLOYED,
    EVENT_KIND_GRANTED,
    EVENT_KIND_OFFER_POSTED,
    EVENT_KIND_ROYALTY_PAID,
    EVENT_KIND_SALE_COMPLAINED,
    EVENT_KIND_SALE_LOCKED,
    EVENT_KIND_SALE_PROPOSED,
    EVENT_KIND_SALE_REFUNDED,
    EVENT_KIND_SALE_SETTLED,
    Event,
)


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
    SET_ASIDE = "set-aside"
    """For an atomic sale: the seller's deposit, or the buyer's price."""
    EARNED = "earned"
    """Out of a channel that paid this account, or a sale; royalties are off already."""
    ROYALTY = "royalty"
    """Out of what a seller was paid."""
    RETURNED = "returned"
    """What this account had put into a channel or a sale."""
    COMPENSATED = "compensated"
    """The deposit of a seller that cheated, or let the buyer's money lie."""


Move: TypeAlias = tuple[Movement, bytes, int, int, bytes]
"""Movement, counterparty, asset, amount, memo."""


@dataclass(slots=True)
class _Channel:
    payer: bytes
    payee: bytes
    asset: int
    deposit: int


@dataclass(slots=True)
class _Sale:
    seller: bytes
    asset: int
    deposit: int
    buyer: bytes = b""
    price: int = 0


class Movements:
    """Takes the transactions of a chain in order. ``account`` is whose money it is about."""

    def __init__(self, genesis: Genesis, account: bytes) -> None:
        self._chain: Final = genesis.chain
        self._treasury: Final = genesis.parameters.treasury
        self._account: Final = account
        self._channels: dict[bytes, _Channel] = {}
        self._sales: dict[bytes, _Sale] = {}
        self._assets: dict[bytes, int] = {}
        """Of contracts, by their newest terms, and of grants."""
        self._contracts: dict[bytes, bytes] = {}
        """Of offers."""

    def of(self, transaction: Transaction, result: Result) -> Iterator[Move]:
        """What the next transaction moved in the account, in order."""
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
                yield from self._open(transaction, message)
            case "top_up_channel":
                found = self._channels.get(message.channel)
                if found is not None:
                    found.deposit += message.amount
                    yield from self._deposit(found, message.amount)
            case "amend_contract":
                self._assets[message.contract] = message.terms.asset
        royalties = [event for event in result.events if event.kind == EVENT_KIND_ROYALTY_PAID]
        for event in result.events:
            self._learn(event, message)
            yield from self._traded(event, transaction, royalties)

    def _fee(self, transaction: Transaction) -> Iterator[Move]:
        fee, treasury = transaction.fee, self._treasury
        payer = pool_account(transaction.sponsor) if transaction.sponsor else transaction.signer
        if fee and payer == self._account:
            yield Movement.FEE, treasury, FEE_ASSET, -fee, b""
        if fee and treasury == self._account:
            yield Movement.FEE_EARNED, payer, FEE_ASSET, fee, b""

    def _paid(
        self, payer: bytes, payee: bytes, asset: int, amount: int, memo: bytes = b""
    ) -> Iterator[Move]:
        if payer == self._account:
            yield Movement.SENT, payee, asset, -amount, memo
        if payee == self._account:
            yield Movement.RECEIVED, payer, asset, amount, memo

    # Channels

    def _open(self, transaction: Transaction, message: Any) -> Iterator[Move]:
        signer = transaction.signer
        opened = _Channel(signer, message.payee, message.asset, message.deposit)
        # Of a grant's, anybody may get royalties.
        if message.grant or self._account in (signer, message.payee):
            self._channels[channel_id(self._chain, signer, transaction.sequence)] = opened
        yield from self._deposit(opened, message.deposit)

    def _deposit(self, channel: _Channel, amount: int) -> Iterator[Move]:
        if channel.payer == self._account:
            yield Movement.DEPOSITED, channel.payee, channel.asset, -amount, b""

    def _closed(self, name: bytes, claimed: int, royalties: list[Event]) -> Iterator[Move]:
        channel = self._channels.pop(name, None)
        if channel is None:
            return
        earned = claimed - sum(event.amount for event in royalties)
        yield from self._royalties(channel.payee, channel.asset, royalties)
        yield from self._given(Movement.EARNED, channel.payer, channel.payee, channel.asset, earned)
        rest = channel.deposit - claimed
        yield from self._given(Movement.RETURNED, channel.payee, channel.payer, channel.asset, rest)

    # Sales

    def _learn(self, event: Event, message: Any) -> None:
        """Remember what things are paid in."""
        if event.kind == EVENT_KIND_CONTRACT_DEPLOYED:
            self._assets[event.subject] = message.terms.asset
        elif event.kind == EVENT_KIND_OFFER_POSTED:
            self._contracts[event.subject] = message.contract
        elif event.kind == EVENT_KIND_GRANTED:
            contract = self._contracts.get(message.offer, b"")
            self._assets[event.subject] = self._assets.get(contract, FEE_ASSET)

    def _traded(
        self, event: Event, transaction: Transaction, royalties: list[Event]
    ) -> Iterator[Move]:
        signer, name, kind = transaction.signer, event.subject, event.kind
        if kind == EVENT_KIND_CHANNEL_CLOSED:
            yield from self._closed(name, event.amount, royalties)
        elif kind == EVENT_KIND_SALE_PROPOSED:
            grant = _fields(transaction).grant
            sale = _Sale(signer, self._assets.get(grant, FEE_ASSET), event.amount)
            self._sales[name] = sale
            yield from self._given(Movement.SET_ASIDE, b"", signer, sale.asset, -sale.deposit)
        elif kind == EVENT_KIND_SALE_LOCKED and name in self._sales:
            sale = self._sales[name]
            sale.buyer, sale.price = signer, event.amount
            yield from self._given(Movement.SET_ASIDE, sale.seller, signer, sale.asset, -sale.price)
        elif kind in _ENDS and name in self._sales:
            yield from self._ended(self._sales.pop(name), event, royalties)

    def _ended(self, sale: _Sale, event: Event, royalties: list[Event]) -> Iterator[Move]:
        asset, seller, buyer = sale.asset, sale.seller, sale.buyer
        if event.kind == EVENT_KIND_SALE_SETTLED:
            earned = sale.price - sum(each.amount for each in royalties)
            yield from self._royalties(seller, asset, royalties)
            yield from self._given(Movement.EARNED, buyer, seller, asset, earned)
            yield from self._given(Movement.RETURNED, b"", seller, asset, sale.deposit)
        elif buyer:
            yield from self._given(Movement.RETURNED, seller, buyer, asset, sale.price)
            yield from self._given(Movement.COMPENSATED, seller, buyer, asset, sale.deposit)
        else:
            yield from self._given(Movement.RETURNED, b"", seller, asset, sale.deposit)

    def _royalties(self, seller: bytes, asset: int, royalties: list[Event]) -> Iterator[Move]:
        for event in royalties:
            yield from self._given(Movement.ROYALTY, seller, event.subject, asset, event.amount)

    def _given(
        self, movement: Movement, other: bytes, account: bytes, asset: int, amount: int
    ) -> Iterator[Move]:
        if amount and account == self._account:
            yield movement, other, asset, amount, b""


_ENDS: Final = (
    EVENT_KIND_SALE_SETTLED,
    EVENT_KIND_SALE_COMPLAINED,
    EVENT_KIND_SALE_REFUNDED,
)


def _fields(transaction: Transaction) -> Any:
    """The message, whose fields its action names."""
    return transaction.message
