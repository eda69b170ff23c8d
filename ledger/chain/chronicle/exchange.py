"""Channels and sales, and the money that they move, as their transactions tell them."""

from __future__ import annotations

from ledger.chain.channel.identity import channel_id
from ledger.chain.chronicle.books import Books
from ledger.chain.chronicle.facts import (
    WHOLE,
    ChannelFact,
    GrantFact,
    Moment,
    SaleFact,
    SaleStage,
)
from ledger.chain.chronicle.sharing import SharingFacts
from ledger.chain.sale.identity import sale_id
from ledger.chain.transaction import Transaction
from ledger.errors import MalformedError
from ledger.experience.content_root import chunk_count
from ledger.schema.chain_channel_pb2 import (
    ChallengeClose,
    CloseChannel,
    OpenChannel,
    SettleChannel,
    TopUpChannel,
)
from ledger.schema.chain_exchange_pb2 import (
    ComplainSale,
    LockSale,
    ProposeSale,
    RefundSale,
    RevealKey,
    SettleSale,
)


def price_of(grant: GrantFact) -> int:
    """What all of a grant's content costs by its terms, in units."""
    return grant.terms.record_price + grant.terms.chunk_price * chunk_count(grant.content_size)


def parts_of(grant: GrantFact) -> tuple[tuple[bytes, int], ...]:
    """The accounts of a grant's royalties, with their parts of 10,000."""
    return tuple((each.account, each.parts) for each in grant.terms.royalties)


class ExchangeFacts:
    """Takes transactions that were carried out."""

    def __init__(self, chain: bytes, sharing: SharingFacts, books: Books) -> None:
        self._chain = chain
        self._sharing = sharing
        self._books = books
        self.channels: dict[bytes, ChannelFact] = {}
        self.sales: dict[bytes, SaleFact] = {}

    def take(self, at: Moment, transaction: Transaction) -> None:
        """Take the next transaction, of any kind."""
        message = transaction.message
        match message:
            case OpenChannel():
                self._open(at, transaction, message)
            case TopUpChannel():
                channel = self.channels.get(message.channel)
                if channel is not None:
                    channel.deposit += message.amount
                    self._books.set_aside(channel.payer, channel.asset, message.amount)
            case CloseChannel():
                self._close(at, transaction.signer, message)
            case ChallengeClose():
                _claim(self.channels.get(message.channel), message)
            case SettleChannel():
                self._pay_out(at, self.channels.get(message.channel))
            case ProposeSale():
                self._propose(at, transaction, message)
            case LockSale() | RevealKey() | ComplainSale() | RefundSale() | SettleSale():
                sale = self.sales.get(message.sale)
                if sale is not None and sale.stage.is_open:
                    self._go_on(at, sale, message)
            case _:
                pass

    # Channels

    def _open(self, at: Moment, transaction: Transaction, message: OpenChannel) -> None:
        payer = transaction.signer
        try:
            name = channel_id(self._chain, payer, transaction.sequence)
        except MalformedError:
            return
        paid_for = self._sharing.grants.get(message.grant)
        self.channels[name] = ChannelFact(
            id=name,
            payer=payer,
            payee=message.payee,
            asset=message.asset,
            deposit=message.deposit,
            expiry_height=message.expiry_height,
            at=at,
            unit=message.payword.unit,
            grant=message.grant or self._sharing.by_key.get(payer, b""),
            parts=parts_of(paid_for) if paid_for else (),
        )
        self._books.set_aside(payer, message.asset, message.deposit)

    def _close(self, at: Moment, signer: bytes, message: CloseChannel) -> None:
        channel = self.channels.get(message.channel)
        _claim(channel, message)
        if channel is not None and signer == channel.payee:
            self._pay_out(at, channel)

    def _pay_out(self, at: Moment, channel: ChannelFact | None) -> None:
        if channel is None or channel.closed is not None:
            return
        channel.closed = at
        self._divide(channel.asset, channel.claimed, channel.parts, channel.payee)
        self._books.release(channel.payer, channel.asset, channel.returned)

    # Sales

    def _propose(self, at: Moment, transaction: Transaction, message: ProposeSale) -> None:
        grant = self._sharing.grants.get(message.grant)
        if grant is None:
            return
        name = sale_id(self._chain, message.grant, transaction.sequence)
        terms = grant.terms
        self.sales[name] = SaleFact(
            id=name,
            grant=message.grant,
            seller=grant.seller,
            buyer=grant.key,
            asset=terms.asset,
            price=price_of(grant),
            deposit=terms.deposit,
            royalties=parts_of(grant),
            complaint_blocks=message.complaint_blocks,
            at=at,
        )
        self._books.set_aside(grant.seller, terms.asset, terms.deposit)

    def _go_on(
        self,
        at: Moment,
        sale: SaleFact,
        message: LockSale | RevealKey | ComplainSale | RefundSale | SettleSale,
    ) -> None:
        match message:
            case LockSale():
                sale.stage = SaleStage.LOCKED
                self._books.set_aside(sale.buyer, sale.asset, sale.price)
            case RevealKey():
                sale.stage, sale.revealed_height = SaleStage.REVEALED, at.height
            case ComplainSale():
                self._end(at, sale, SaleStage.COMPLAINED, sale.buyer, sale.price + sale.deposit)
            case RefundSale() if sale.stage is SaleStage.PROPOSED:
                self._end(at, sale, SaleStage.LAPSED, sale.seller, sale.deposit)
            case RefundSale():
                self._end(at, sale, SaleStage.UNREVEALED, sale.buyer, sale.price + sale.deposit)
            case SettleSale():
                self._divide(sale.asset, sale.price, sale.royalties, sale.seller)
                self._end(at, sale, SaleStage.SETTLED, sale.seller, sale.deposit)

    def _divide(
        self, asset: int, amount: int, parts: tuple[tuple[bytes, int], ...], seller: bytes
    ) -> None:
        """Give an amount to the accounts of royalties, each rounded down, and the seller."""
        rest = amount
        for account, part in parts:
            share = amount * part // WHOLE
            self._books.release(account, asset, share)
            rest -= share
        self._books.release(seller, asset, rest)

    def _end(
        self, at: Moment, sale: SaleFact, stage: SaleStage, account: bytes, amount: int
    ) -> None:
        sale.stage, sale.ended = stage, at
        self._books.release(account, sale.asset, amount)


def _claim(channel: ChannelFact | None, message: CloseChannel | ChallengeClose) -> None:
    """Let a channel know what a claim says was paid."""
    if channel is None:
        return
    match message.WhichOneof("claim"):
        case "voucher":
            claimed = message.voucher.cumulative
        case "payword":
            claimed = message.payword.index * channel.unit
        case _:
            return
    channel.claimed = max(channel.claimed, claimed)
