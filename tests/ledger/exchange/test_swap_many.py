"""Many sales of one seller fall due together: every key is shown in time, whatever else is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.sale_end import SaleEnd
from ledger.chain.transaction import parse_transaction
from ledger.errors import RefusedError
from ledger.exchange.messages import Reason
from ledger.exchange.swap_chain import SellingTerms, is_in_time
from ledger.exchange.swap_seller import EndedSwap, LockedSwap, PreparedSwap, RevealedSwap
from ledger.schema.chain_exchange_pb2 import RevealKey, SettleSale
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.exchange_world import ANYBODY, DEPOSIT, PRICE, ROYALTIES
from tests.ledger.exchange.crowd import Crowd, CrowdChain

TERMS: Final = SellingTerms(fee=0)
"""Those of production; the tests' chain asks for no fee."""
SHARE: Final = PRICE - sum(PRICE * parts // 10_000 for _, parts in ROYALTIES)
"""Of a price, for the seller."""


def earned(crowd: Crowd) -> int:
    return crowd.world.balance(crowd.world.seller) - crowd.money


def turns(crowd: Crowd, until: int) -> int:
    """The seller has its turns up to a height; how many of its sales are locked then."""
    while crowd.chain.height() < until:
        before = crowd.chain.height()
        states = crowd.counter.advance()
        if crowd.chain.height() == before:
            crowd.world.advance()
    return sum(isinstance(each, LockedSwap) for each in states)


def settle(crowd: Crowd, count: int) -> None:
    """All of them are paid for once nobody can complain, and no deposit is lost."""
    crowd.world.advance(TERMS.complaint_blocks)
    assert sum(isinstance(each, EndedSwap) for each in crowd.counter.advance()) == count
    assert earned(crowd) == count * SHARE


def test_all_that_lock_in_one_block_have_their_keys_in_time(tmp_path: Path) -> None:
    count = 40
    crowd = Crowd(tmp_path, count, TERMS)
    crowd.propose(*range(count))
    crowd.lock(*range(count))
    before = crowd.chain.height()
    states = crowd.counter.advance()
    assert [type(each) for each in states] == [RevealedSwap] * count
    assert crowd.chain.height() == before + 1
    settle(crowd, count)


def test_the_key_whose_time_ends_first_is_shown_first(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, 4, TERMS)
    crowd.propose(*range(4))
    for buyer in (2, 0, 3, 1):
        crowd.lock(buyer)
    crowd.counter.advance()
    parsed = [parse_transaction(crowd.chain.chain, each) for each in crowd.chain.transactions[-4:]]
    shown = [each.message.sale for each in parsed if isinstance(each.message, RevealKey)]
    assert shown == [crowd.sale(buyer) for buyer in (2, 0, 3, 1)]
    assert [each.sequence - parsed[0].sequence for each in parsed] == [0, 1, 2, 3]


def test_refunds_that_are_due_do_not_stand_before_keys(tmp_path: Path) -> None:
    """So many that in a block each they would take all the time that there is for the keys."""
    stale, late = range(30), range(30, 36)
    crowd = Crowd(tmp_path, 36, TERMS)
    crowd.propose(*stale)
    lapse = crowd.record(stale[-1]).lock_height
    turns_left = TERMS.reveal_blocks - 10
    crowd.world.advance(lapse - turns_left - len(late) - crowd.chain.height())
    for buyer in late:  # without a turn for the refunds that are due by now
        assert crowd.open(buyer)[0] is None
        assert crowd.counter.make() == crowd.grants[buyer]
        state = crowd.counter.swap(crowd.grants[buyer])
        assert isinstance(state, PreparedSwap)
        state.propose()
        crowd.restart()
    crowd.lock(*late)
    last = crowd.record(late[-1]).reveal_height
    crowd.world.advance(lapse - crowd.chain.height())
    assert last - crowd.chain.height() < len(stale)
    assert turns(crowd, last + 1) == 0
    crowd.world.advance(TERMS.complaint_blocks)
    crowd.counter.advance()
    assert earned(crowd) == len(late) * SHARE


def test_proposals_that_are_refused_do_not_stand_before_keys(tmp_path: Path) -> None:
    """The seller's money is in deposits: every further proposal is refused, each in a block."""
    locked, poor = range(3), range(3, 43)
    crowd = Crowd(tmp_path, 43, TERMS)
    crowd.propose(*locked)
    world, left = crowd.world, len(poor) * DEPOSIT + crowd.money - 43 * DEPOSIT
    away = Transfer(recipient=account_of(known_key("bank")), amount=left)
    assert world.code(world.seller, away) is ResultCode.OK
    world.advance()
    for buyer in poor:
        assert crowd.open(buyer)[0] is None
        assert crowd.counter.make() == crowd.grants[buyer]
        crowd.counter.advance()
        state = crowd.counter.swap(crowd.grants[buyer])
        assert isinstance(state, PreparedSwap)
        assert state.refusal is ResultCode.INSUFFICIENT_FUNDS
    crowd.restart()  # it does not know that they were refused
    crowd.lock(*locked)
    last = crowd.record(0).reveal_height
    assert turns(crowd, last + 1) == 0
    world.advance(TERMS.complaint_blocks)
    crowd.counter.advance()
    assert earned(crowd) == len(locked) * SHARE - left


def test_no_more_are_open_than_their_keys_have_time_for(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, 4, SellingTerms(fee=0, most_open=2))
    crowd.propose(0, 1)
    assert crowd.reason(2) is Reason.NOT_YET
    crowd.counter.tend()
    assert crowd.counter.swap(crowd.grants[2]) is None
    # Those that have a sale go on with it.
    assert crowd.open(0)[0] is not None
    crowd.lock(0)
    crowd.counter.tend()
    # One key is out: there is room for one, and who asked in vain asks again.
    assert crowd.reason(3) is Reason.NOT_YET
    assert crowd.reason(2) is Reason.NOT_YET
    crowd.counter.tend()
    assert crowd.open(3)[0] is not None
    assert crowd.counter.swap(crowd.grants[2]) is None
    # What nobody locks makes room once its deposit is back.
    crowd.world.advance(TERMS.lock_blocks)
    crowd.counter.tend()
    crowd.propose(2)


class Slow(CrowdChain):
    """Takes a block to say how a sale ended."""

    locks: Callable[[], None] = staticmethod(lambda: None)

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        locks, self.locks = self.locks, lambda: None
        locks()
        self.world.advance()
        return super().ended(sale, from_height)


def test_who_locks_in_a_long_turn_has_its_key_in_that_turn(tmp_path: Path) -> None:
    """Others' sales have ended, and looking how takes longer than there is time for the key."""
    ended, late = range(35), 35
    crowd = Crowd(tmp_path, 36, TERMS, Slow)
    assert isinstance(crowd.chain, Slow)
    crowd.propose(*ended)
    crowd.lock(*ended)
    crowd.counter.advance()
    crowd.world.advance(TERMS.complaint_blocks - 10)
    crowd.propose(late)
    crowd.world.advance(10)
    for buyer in ended:
        crowd.world.must(ANYBODY, SettleSale(sale=crowd.sale(buyer)))
    crowd.world.advance()
    crowd.chain.locks = lambda: crowd.lock(late)
    crowd.counter.advance()
    assert crowd.record(late).complaint_height


class Dying(CrowdChain):
    """Takes so many of what is submitted together, and then the seller is dead."""

    takes: int | None = None

    def submit_all(self, wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        takes, self.takes = self.takes, None
        if takes is None:
            return super().submit_all(wallet, bodies)
        super().submit_all(wallet, bodies[:takes])
        raise ConnectionError


@pytest.mark.parametrize("takes", [0, 3, 7])
def test_a_seller_that_dies_among_its_keys_shows_the_others(tmp_path: Path, takes: int) -> None:
    crowd = Crowd(tmp_path, 7, TERMS, Dying)
    crowd.propose(*range(7))
    crowd.lock(*range(7))
    assert isinstance(crowd.chain, Dying)
    crowd.chain.takes = takes
    with pytest.raises(ConnectionError):
        crowd.counter.advance()
    crowd.restart()
    assert [type(each) for each in crowd.counter.advance()] == [RevealedSwap] * 7
    settle(crowd, 7)


class Behind(CrowdChain):
    """Says once of the account that it is where it was."""

    behind = 0

    def sequence(self, account: bytes) -> int:
        behind, self.behind = self.behind, 0
        return super().sequence(account) - behind


def test_keys_go_behind_another_transaction_of_the_account(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, 6, TERMS, Behind)
    crowd.propose(*range(6))
    crowd.lock(*range(6))
    assert isinstance(crowd.chain, Behind)
    submit_all = crowd.chain.submit_all

    def behind(wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        crowd.chain.behind = 2  # type: ignore[attr-defined]
        crowd.chain.submit_all = submit_all  # type: ignore[method-assign]
        codes = submit_all(wallet, bodies)
        assert codes == [ResultCode.SEQUENCE_PAST] * 2 + [ResultCode.OK] * 4
        return codes

    crowd.chain.submit_all = behind  # type: ignore[method-assign]
    assert [type(each) for each in crowd.counter.advance()] == [RevealedSwap] * 6
    settle(crowd, 6)


def test_a_seller_leaves_itself_the_time_for_its_keys() -> None:
    assert is_in_time(0, TERMS.reveal_blocks, TERMS.margin)
    assert TERMS.fitting(1_000) == TERMS
    assert TERMS.fitting(2).most_open == TERMS.reveal_blocks - TERMS.margin
    assert SellingTerms(reveal_blocks=4, margin=3).fitting(1).most_open == 1
    for wrong in ({"most_open": 0}, {"reveal_blocks": 3, "margin": 3}):
        with pytest.raises(RefusedError):
            SellingTerms(**wrong)
