"""Both ends of a stream on the market's chain, each to be ended and taken up again from disk."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.exchange.buyer import BoughtContent
from ledger.exchange.counter import Counter
from ledger.exchange.messages import Reply
from ledger.exchange.purchase import Purchase
from ledger.exchange.seller import ClosingSale, Desk
from ledger.exchange.transport import Transport, buy
from ledger.schema.chain_channel_pb2 import SettleChannel
from ledger.wallet.key_file import read_key
from ledger.wallet.payer import PayerClosing, PayerOpen, PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.fleet.sharing_chain import FEE, NEVER
from tests.fleet.sharing_market import Bought, Offered, SharingMarket
from zkproofs import credential as zk

CHALLENGE: Final = 5
"""Blocks, as the market opens channels."""
_USES: Final = count()


class StreamEnds:
    """A grant, its channel, the buyer's purchase, and a counter of its own."""

    def __init__(
        self,
        market: SharingMarket,
        member: zk.Credential,
        offered: Offered,
        links: bool = False,
        lasting: int = NEVER,
    ) -> None:
        """``offered`` is under a contract of many uses; each pair of ends takes the next one.

        ``lasting`` is for how many blocks the channel is open at most.
        """
        self.market: Final = market
        self.bought: Final[Bought] = market.granted(member, offered, use=next(_USES))
        grant = self.bought.grant
        offer = PayWordOffer(unit=1, count=grant.price) if links else None
        self.payer: PayerOpen = market.open_channel(self.bought, offer, lasting)
        self.channel: Final = self.payer.channel
        self.spare: Final = market.balance(self.bought.wallet.account)
        """What the one-time key has beside the deposit."""
        self.seller_had: Final = market.balance(market.seller_account)
        self._sales: Final = market.root / market.name("sales")
        self._sales.mkdir()
        self._folder: Final = market.root / market.name("bought")
        self.purchase = Purchase.create(self._folder, grant, self.channel)
        self.wallet = self.bought.wallet
        self.counter = self._new_counter()

    # Lives and deaths

    def _new_counter(self) -> Counter:
        market = self.market
        sellers = Wallet.open(market.sellers_wallet.root)
        return Counter(Desk(sellers, market, self._sales), market.contents)

    def restart_seller(self) -> None:
        """The selling process ends, and another takes its sales up."""
        self.counter.close()
        self.counter = self._new_counter()

    def restart_buyer(self) -> None:
        """The buying process ends, and another takes the purchase up."""
        self.leave()
        self.purchase = Purchase.open(self._folder)
        self.wallet = Wallet.open(self.bought.wallet.root)
        payer = self.wallet.payer(self.channel)
        assert isinstance(payer, PayerOpen)
        self.payer = payer

    def leave(self) -> None:
        """The buyer is not there any more."""
        self.purchase.close()
        with suppress(Exception):
            self.payer.release()

    def close(self) -> None:
        self.leave()
        self.counter.close()

    # What they do

    def ask(self, request: bytes) -> Reply:
        """As a transport."""
        return self.counter.answer(request)

    def buy(self, way: Transport | None = None) -> BoughtContent:
        """From wherever it is, to its end."""
        return buy(self.purchase, self.wallet, self.payer, way or self)

    def seller_closes(self) -> None:
        """The seller claims what it was paid, and the channel is gone."""
        closing = self.counter.close_sale(self.bought.grant.grant)
        assert isinstance(closing, ClosingSale)
        message = closing.message()
        assert message is not None
        self.market.must(self.market.seller, message)
        assert self.market.channel(self.channel) is None

    def buyer_closes(self) -> None:
        """The buyer closes, waits for a seller that never answers, and has the rest back."""
        closing = self.payer.close()
        assert isinstance(closing, PayerClosing)
        key = read_key(self.bought.wallet.root / "key")
        self.market.must(key, closing.message)
        assert self.market.do(key, SettleChannel(channel=self.channel)) == ResultCode.CHANNEL_STATE
        self.market.pass_blocks(CHALLENGE + 1)
        self.market.must(key, SettleChannel(channel=self.channel))
        assert self.market.channel(self.channel) is None
        closing.release()

    # The books

    @property
    def spent(self) -> int:
        """What the one-time key has less than at first, fees not counted."""
        grant, market = self.bought.grant, self.market
        fees = FEE * (market.sequence(self.bought.wallet.account) - 2)
        left = market.balance(self.bought.wallet.account) + fees
        if market.channel(self.channel) is not None:
            return 0
        return self.spare + grant.price - left

    def content(self) -> bytes:
        return (self._folder / "content").read_bytes()
