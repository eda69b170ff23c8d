"""Sales in any order, at any time: money is conserved, nothing is stuck, nobody gets both.

`ChainWorld` adds up all money, with what sales hold, after every step; the audit's own sum is
held to it.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.money_check import check_money
from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import sale_key
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.schema.chain_exchange_pb2 import SaleRecord
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.exchange_world import (
    ANYBODY,
    COMPLAINT,
    DEPOSIT,
    LOCK,
    PRICE,
    REVEAL,
    UNITS,
    ExchangeWorld,
)
from tests.ledger.exchange.fairswap_world import Swap

SPOILT = 2
whose = st.sampled_from(("right", "right", "right", "seller", "buyer", "anybody"))


def findings(world: ExchangeWorld) -> list[FindingKind]:
    """What the audit says of the money."""
    trail = AuditTrail(ChainCounters())
    check_money(world.rows().items(), trail)
    return [finding.kind for finding in trail.findings]


def spoil(masked: list[bytes]) -> None:
    masked[SPOILT] = bytes([masked[SPOILT][0] ^ 1]) + masked[SPOILT][1:]


class AnySale(RuleBasedStateMachine):
    """Up to three sales, of which every second is of a spoilt unit."""

    def __init__(self) -> None:
        super().__init__()
        self.world = ExchangeWorld()
        self.world.fund(self.world.buyer, 3 * PRICE)
        self.world.write_grant(expiry_height=self.world.height + 10_000)
        self.money = self.held()
        self.sales: list[tuple[bytes, Swap]] = []

    def held(self) -> int:
        """What the two sides and the royalties' accounts have."""
        world = self.world
        return world.balance(world.seller) + world.balance(world.buyer) + sum(world.shares())

    def key(self, who: str, right: str) -> object:
        keys = {"seller": self.world.seller, "buyer": self.world.buyer, "anybody": ANYBODY}
        return keys[right if who == "right" else who]

    def take(self, which: int) -> None:
        self.world.sale, self.world.swap = self.sales[which % len(self.sales)]

    @precondition(lambda self: len(self.sales) < 3)
    @rule(who=whose)
    def propose(self, who: str) -> None:
        world = self.world
        sale = world.next_sale()
        swap = Swap(UNITS, spoil if len(self.sales) % 2 else lambda masked: None, sale)
        world.sale, world.swap = sale, swap
        if not world.propose(self.key(who, "seller")):  # type: ignore[arg-type]
            self.sales.append((sale, swap))

    @precondition(lambda self: self.sales)
    @rule(which=st.integers(0, 2), who=whose)
    def lock(self, which: int, who: str) -> None:
        self.take(which)
        self.world.lock(self.key(who, "buyer"))  # type: ignore[arg-type]

    @precondition(lambda self: self.sales)
    @rule(which=st.integers(0, 2), who=whose)
    def reveal(self, which: int, who: str) -> None:
        self.take(which)
        self.world.reveal(who=self.key(who, "seller"))  # type: ignore[arg-type]

    @precondition(lambda self: self.sales)
    @rule(which=st.integers(0, 2), index=st.sampled_from((0, SPOILT, SPOILT, UNITS - 1)))
    def complain(self, which: int, index: int) -> None:
        self.take(which)
        spoilt = index == SPOILT and which % len(self.sales) % 2 == 1
        if self.world.complain(index) == ResultCode.OK:
            assert spoilt, "the chain took a complaint about a unit that was right"

    @precondition(lambda self: self.sales)
    @rule(which=st.integers(0, 2), settle=st.booleans())
    def end(self, which: int, settle: bool) -> None:
        self.take(which)
        if settle:
            self.world.settle()
        else:
            self.world.refund()

    @rule(blocks=st.integers(1, 4))
    def wait(self, blocks: int) -> None:
        self.world.advance(blocks)

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert findings(self.world) == []

    def teardown(self) -> None:
        """Whatever was left undone ends by itself, and all money is with somebody."""
        self.world.advance(LOCK + REVEAL + COMPLAINT + 1)
        for sale, _ in self.sales:
            self.world.sale = sale
            if self.world.found() is not None:
                assert ResultCode.OK in (self.world.refund(), self.world.settle())
            assert self.world.found() is None
        assert self.held() == self.money


TestAnySale = AnySale.TestCase
TestAnySale.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_the_audit_counts_what_sales_hold() -> None:
    world = ExchangeWorld()
    world.locked()
    assert findings(world) == []
    record = world.found()
    assert record is not None
    for changed in (
        SaleRecord(price=PRICE + 1, deposit=DEPOSIT),
        SaleRecord(price=PRICE, deposit=DEPOSIT - 1),
    ):
        forged = SaleRecord()
        forged.CopyFrom(record)
        forged.price, forged.deposit = changed.price, changed.deposit
        world.state.write(sale_key(world.sale), forged)
        world.state.keep()
        assert findings(world) == [FindingKind.MONEY_WRONG]
    world.state.write(sale_key(world.sale), record)
    world.state.keep()
    assert record.buyer == account_of(world.buyer)
    assert findings(world) == []
