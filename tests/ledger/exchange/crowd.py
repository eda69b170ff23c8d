"""Many buyers of one seller's content, a grant each, and their part of it in a line or two."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.chain.ids import grant_id
from ledger.chain.state_keys import grant_key
from ledger.ed25519 import PrivateKey
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Refused, Reply
from ledger.exchange.session import (
    EXCHANGE_TAG,
    Session,
    agree,
    new_agreement_key,
    open_sale_statement,
    public_agreement_key,
)
from ledger.exchange.swap_chain import SellingTerms
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_messages import (
    SwapOpened,
    SwapOpening,
    encode_swap_opening,
    parse_swap_reply,
)
from ledger.exchange.swap_seller import SwapDesk
from ledger.schema.chain_exchange_pb2 import LockSale, SaleRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.exchange_world import DEPOSIT, MONEY, ExchangeWorld
from tests.ledger.exchange.swap_world import Nothing, Shelf, WorldChain, keep_key

LIFETIME: Final = 1_000
"""Blocks for which a grant is good."""


class CrowdChain(WorldChain):
    """Knows the grants of all of them."""

    def __init__(self, world: ExchangeWorld) -> None:
        super().__init__(world)
        self.granted: Final[dict[bytes, GrantRecord]] = {}

    def give(self, buyer: PrivateKey) -> bytes:
        """A grant to this key, which has the money for it; the grant's id."""
        world = self.world
        world.fund(buyer, MONEY)
        grant = grant_id(self.chain, account_of(buyer))
        record = GrantRecord()
        record.CopyFrom(world.granted)
        record.key, record.expiry_height = account_of(buyer), world.height + LIFETIME
        world.state.write(grant_key(grant), record)
        world.state.keep()
        self.granted[grant] = record
        return grant

    def grant(self, grant: bytes) -> Grant | None:
        record = self.granted.get(grant)
        return None if record is None else Grant.of_record(self.chain, grant, record)


class Crowd:
    """A seller with the money for all deposits, and so many buyers."""

    def __init__(
        self,
        root: Path,
        buyers: int,
        selling: SellingTerms,
        chain: type[CrowdChain] = CrowdChain,
    ) -> None:
        self.root, self.selling = root, selling
        self.chain = chain(ExchangeWorld())
        self.world = self.chain.world
        self.world.fund(self.world.seller, buyers * DEPOSIT)
        self.money: Final = self.world.balance(self.world.seller)
        keep_key(root / "seller", self.world.seller)
        (root / "sales").mkdir()
        self.keys: Final = [known_key(f"buyer {number}") for number in range(buyers)]
        self.grants: Final = [self.chain.give(key) for key in self.keys]
        self.world.advance()
        self.counter = self.new_counter()

    def new_counter(self) -> SwapCounter:
        wallet, sales = Wallet.open(self.root / "seller"), self.root / "sales"
        desk = SwapDesk(wallet, self.chain, self.chain, sales, self.selling)
        return SwapCounter(desk, Shelf(), Nothing())

    def restart(self) -> None:
        """The seller's process ends, and another begins."""
        self.counter = self.new_counter()

    def open(self, buyer: int) -> tuple[Session | None, Reply]:
        """A session of a new key, if the seller agrees to one, and its reply."""
        grant, private = self.grants[buyer], new_agreement_key()
        public = public_agreement_key(private)
        statement = EXCHANGE_TAG + open_sale_statement(self.chain.chain, grant, public)
        opening = SwapOpening(grant, public, self.keys[buyer].sign(statement))
        request, encoded = encode_swap_opening(opening)
        reply = self.counter.answer(request)
        answer = parse_swap_reply(reply)
        if not isinstance(answer, SwapOpened):
            return None, reply
        return agree(encoded, private, answer.session_key, answer.session_key), reply

    def reason(self, buyer: int) -> object:
        """Why there is no session."""
        answer = parse_swap_reply(self.open(buyer)[1])
        return answer.reason if isinstance(answer, Refused) else None

    def propose(self, *buyers: int) -> None:
        """Have a sale on the chain for each of these."""
        for buyer in buyers:
            assert self.open(buyer)[0] is None
            self.counter.tend()
            assert not self.record(buyer).reveal_height

    def lock(self, *buyers: int) -> None:
        """All these lock in one block."""
        for buyer in buyers:
            self.world.must(self.keys[buyer], LockSale(sale=self.sale(buyer)))
        self.world.advance()

    def sale(self, buyer: int) -> bytes:
        state = self.counter.swap(self.grants[buyer])
        assert state is not None
        return state.row.sale

    def record(self, buyer: int) -> SaleRecord:
        record = self.chain.sale(self.sale(buyer))
        assert record is not None
        return record
