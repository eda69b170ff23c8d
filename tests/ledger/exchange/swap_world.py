"""Both ends of an atomic sale on disk, on a chain of the real rules, one block a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.result import Result
from ledger.chain.rules.offers import read_offer
from ledger.chain.sale.identity import sale_id
from ledger.chain.sale_end import SaleEnd, sale_end
from ledger.chain.state_keys import sale_key
from ledger.chain.transaction import parse_transaction
from ledger.chain.withdrawn import is_withdrawn
from ledger.ed25519 import PrivateKey
from ledger.errors import ErasedError
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.swap_buyer import BuyingEnd, OpeningSwap
from ledger.exchange.swap_chain import BuyingTerms, SellersChain, SellingTerms, SwapChain, find_key
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_file import SwapRow, SwapStage, write_swap
from ledger.exchange.swap_payment import BoughtSwap, LockableSwap, ReturnedSwap
from ledger.exchange.swap_purchase import BuyingStage, SwapPurchase
from ledger.exchange.swap_seller import SwapDesk
from ledger.exchange.unit_source import StoredUnits
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_exchange_pb2 import ProposeSale, SaleRecord
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.exchange_world import UNITS, ExchangeWorld
from tests.ledger.exchange.stream_world import content_of, units_of

CONTENT: Final = content_of(UNITS)
SELLING: Final = SellingTerms(lock_blocks=10, reveal_blocks=6, complaint_blocks=6, margin=2, fee=0)
BUYING: Final = BuyingTerms(most_reveal_blocks=6, least_complaint_blocks=6, fee=0)


class WorldChain:
    """A `SwapChain` and `SaleChain` over the rules; every transaction makes a block."""

    def __init__(self, world: ExchangeWorld) -> None:
        self.world: Final = world
        self.transactions: Final[list[bytes]] = []
        """All that was ever submitted, refused ones too."""
        self.results: Final[list[tuple[int, Result]]] = []
        """What came of them, with the heights of their blocks."""

    @property
    def chain(self) -> bytes:
        return self.world.chain

    def height(self) -> int:
        return self.world.height - 1

    def sequence(self, account: bytes) -> int:
        found: Account | None = self.world.account(account)
        return found.sequence if found else 0

    def sale(self, sale: bytes) -> SaleRecord | None:
        return self.world.state.read(SaleRecord, sale_key(sale))

    def revealed_key(self, sale: bytes, hashed: bytes, from_height: int) -> bytes | None:
        heights = (at for at, _ in self.results)
        shown = [
            each for each, at in zip(self.transactions, heights, strict=True) if at >= from_height
        ]
        return find_key(self.chain, shown, sale, hashed)

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        return sale_end(sale, [each for at, each in self.results if at >= from_height])

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        self.transactions.append(transaction)
        result = self.world.submit(transaction, attachments)
        self.results.append((self.world.height, result))
        self.world.advance()
        return ResultCode(result.code)

    def submit_all(self, wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        """All in one block."""
        codes, sequence = [], self.sequence(wallet.account)
        for number, body in enumerate(bodies):
            body.sequence = sequence + number
            transaction = wallet.sign(self.chain, body)
            self.transactions.append(transaction)
            result = self.world.submit(transaction)
            self.results.append((self.world.height, result))
            codes.append(ResultCode(result.code))
        self.world.advance()
        return codes

    def grant(self, grant: bytes) -> Grant | None:
        if grant != self.world.grant:
            return None
        return Grant.of_record(self.chain, grant, self.world.granted)

    def channel(self, channel: bytes) -> ChannelRecord | None:
        return None

    def is_withdrawn(self, grant: Grant) -> bool:
        offer = read_offer(self.world.state, self.world.granted.offer)
        return is_withdrawn(self.world.state, offer.origin, offer.record_id)


class Spoilt(StoredUnits):
    """Content of a seller that is honest until its units are known by their leaves."""

    def __init__(self, honest: StoredUnits, wrong: Iterable[int]) -> None:
        self.honest, self.wrong = honest, frozenset(wrong)

    @property
    def size(self) -> int:
        return self.honest.size

    @property
    def root(self) -> bytes:
        return self.honest.root

    def unit(self, index: int) -> memoryview:
        unit = bytearray(self.honest.unit(index))
        if index in self.wrong:
            unit[100] ^= 1
        return memoryview(unit)


class Nothing:
    """No streams are sold here."""

    def answer(self, request: bytes) -> Reply:
        return encode_refused(Reason.NO_GRANT)


class Shelf:
    """`Contents` of one content, until it is erased."""

    def __init__(self, units: StoredUnits | None = None) -> None:
        self.units: StoredUnits | None = units or units_of(CONTENT)

    def find(self, grant: Grant) -> StoredUnits:
        if self.units is None:
            raise ErasedError("the content was erased")
        return self.units


def keep_key(root: Path, key: PrivateKey) -> None:
    """Make the wallet of a key that is known."""
    Wallet.create(root)
    (root / "key").write_bytes(key.to_pem())


class SwapWorld:
    """A seller and a buyer under one grant, each to be killed and taken up again."""

    def __init__(
        self,
        root: Path,
        chain: Any = None,
        shelf: Shelf | None = None,
        selling: SellingTerms = SELLING,
        buying: BuyingTerms = BUYING,
        grant: bytes = b"",
    ) -> None:
        self.root, self.shelf = root, shelf or Shelf()
        self.chain = chain or WorldChain(ExchangeWorld())
        if chain is None:
            keep_key(root / "seller", self.world.seller)
            keep_key(root / "buyer", self.world.buyer)
        self.selling, self.buying = selling, buying
        self.grant_id = grant or self.world.grant
        self.seller_chain: SellersChain = self.chain
        self.buyer_chain: SwapChain = self.chain
        (root / "sales").mkdir(exist_ok=True)
        self.seller_wallet = Wallet.open(root / "seller")
        self.buyer_wallet = Wallet.open(root / "buyer")
        self.purchase: SwapPurchase | None = None
        self.counter = self.new_counter()

    @property
    def world(self) -> ExchangeWorld:
        return self.chain.world

    @property
    def grant(self) -> Grant:
        found = self.chain.grant(self.grant_id)
        assert found is not None
        return found

    # The two ends

    def new_counter(self) -> SwapCounter:
        desk = SwapDesk(
            self.seller_wallet, self.chain, self.seller_chain, self.root / "sales", self.selling
        )
        return SwapCounter(desk, self.shelf, Nothing())

    def restart_seller(self) -> None:
        self.counter = self.new_counter()

    def begin(self) -> BuyingEnd:
        """The buyer at the beginning, or where it was."""
        self.leave()
        folder = self.root / "bought"
        self.purchase = (
            SwapPurchase.open(folder)
            if (folder / "purchase").exists()
            else SwapPurchase.create(folder, self.grant)
        )
        return BuyingEnd(self.purchase, self.buyer_wallet, self.buyer_chain, self.buying)

    def leave(self) -> None:
        """The buyer's process ends."""
        if self.purchase is not None:
            self.purchase.close()
        self.purchase = None

    def ask(self, request: bytes) -> Reply:
        """As a transport."""
        return self.counter.answer(request)

    def wait(self, height: int) -> None:
        """The seller does what it can, and if that made no block, somebody else does."""
        self.counter.tend()
        self.pass_blocks(height + 1 - self.chain.height())

    def pass_blocks(self, count: int) -> None:
        if count > 0:
            self.world.advance(count)

    def buy(
        self, end: BuyingEnd | None = None, told: Callable[[int, int], None] = lambda *_: None
    ) -> BoughtSwap | ReturnedSwap:
        return swap(end or self.begin(), self, self.wait, told)

    def finish_seller(self) -> None:
        """Whatever is due to the seller."""
        for _ in range(8):
            self.counter.tend()
            self.pass_blocks(1)

    def received(self) -> bytes:
        return (self.root / "bought" / "opened" / "content").read_bytes()

    @property
    def seller(self) -> PrivateKey:
        return self.world.seller

    @property
    def buyer(self) -> PrivateKey:
        return self.world.buyer

    def spend_sequence(self) -> None:
        """Another transaction of the seller's account, which costs nothing."""
        message = Transfer(recipient=account_of(known_key("bank")), amount=1)
        assert self.world.code(self.seller, message) == ResultCode.OK
        self.world.fund(self.seller, 1)
        self.world.advance()


def cheating(root: Path, *wrong: int) -> SwapWorld:
    """A seller whose units are not what their leaves say; it prepared the sale in good faith."""
    shelf = Shelf()
    made = SwapWorld(root, shelf=shelf)
    honest = shelf.units
    assert honest is not None
    # Masked as if it were right: `prepare` refuses to, so the leaves are set straight after.
    shelf.units = Spoilt(honest, wrong)
    row = spoilt_row(made, shelf.units)
    write_swap(root / "sales", row)
    made.restart_seller()
    return made


def spoilt_row(world: SwapWorld, spoilt: Spoilt) -> SwapRow:
    """What a seller writes that masks spoilt units under honest leaves."""
    grant = world.grant
    sequence = world.chain.sequence(world.seller_wallet.account)
    masked = MaskedContent(sale_id(grant.chain, grant.grant, sequence), spoilt, grant.count)
    honest = [leaf_hash(bytes(spoilt.honest.unit(index))) for index in range(grant.count)]
    return SwapRow(
        stage=SwapStage.PREPARED,
        grant=grant,
        key=masked.reveal().key,
        agreement=bytes(range(32)),
        sequence=sequence,
        height=world.chain.height(),
        unit_root=masked.sold.unit_root,
        lock_height=world.chain.height() + SELLING.lock_blocks,
        reveal_blocks=SELLING.reveal_blocks,
        complaint_blocks=SELLING.complaint_blocks,
        leaves=tuple(honest),
        masked_leaves=masked.masked_leaves,
    )


def proposals(world: SwapWorld) -> list[ProposeSale]:
    """Every proposal that was ever submitted."""
    parsed = [parse_transaction(world.chain.chain, each) for each in world.chain.transactions]
    return [each.message for each in parsed if isinstance(each.message, ProposeSale)]


def refused(world: SwapWorld, request: bytes, reason: Reason) -> None:
    assert world.ask(request) == encode_refused(reason)


def buy_until(world: SwapWorld, kind: type) -> object:
    """The purchase, as far as this state, then left."""
    end = world.begin()
    state = where(end)
    while not isinstance(state, kind):
        if isinstance(state, LockableSwap):
            state.lock()
            state = where(end)
        elif isinstance(state, OpeningSwap):
            reply = world.ask(state.request())
            if reply == encode_refused(Reason.NOT_YET):
                world.counter.tend()
                continue
            state.receive(reply)
            state = where(end)
        else:
            assert not isinstance(state, BoughtSwap | ReturnedSwap)
            state = state.receive(world.ask(state.request())) or where(end)  # type: ignore[union-attr]
    assert end.purchase.sale is None or end.purchase.sale.stage is not BuyingStage.BOUGHT
    return state
