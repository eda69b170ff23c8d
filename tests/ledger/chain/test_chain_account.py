"""Accounts: their row in the state, what they hold, and what cannot be one."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.account import (
    HAS_CAP,
    IS_POOL,
    MAX_AMOUNT,
    MAX_ASSETS,
    Account,
    credit,
    ensure_account,
    read_account,
    release,
    take,
)
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.state_keys import account_key
from ledger.chain.working_state import WorkingState
from ledger.errors import CorruptStoreError
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS

NAME: Final = account_of(known_key("alice"))

accounts = st.builds(
    lambda flags, sequence, holdings: Account(flags, sequence, tuple(sorted(holdings.items()))),
    st.sampled_from([0, HAS_CAP, IS_POOL, HAS_CAP | IS_POOL]),
    st.integers(0, 2**64 - 1),
    st.dictionaries(st.integers(0, 2**32 - 1), st.integers(1, MAX_AMOUNT), max_size=MAX_ASSETS),
)


@pytest.fixture
def state() -> WorkingState:
    return WorkingState(lambda _: None)


def refused(code: ResultCode) -> pytest.RaisesExc[RefusalError]:
    return pytest.raises(RefusalError, check=lambda error: error.code == code)


@given(accounts)
def test_rows(account: Account) -> None:
    row = account.encode()
    assert Account.decode(row) == account
    # u8 flags || u64be sequence || u32be asset || u64be amount ...
    assert len(row) == 9 + 12 * len(account.holdings)
    assert row[0] == account.flags
    assert int.from_bytes(row[1:9], "big") == account.sequence
    for number, (asset, amount) in enumerate(account.holdings):
        at = 9 + 12 * number
        assert row[at : at + 4] == asset.to_bytes(4, "big")
        assert row[at + 4 : at + 12] == amount.to_bytes(8, "big")


@pytest.mark.parametrize("length", [0, 1, 8, 10, 20, 22, 32, 34])
def test_rows_of_no_account(length: int) -> None:
    with pytest.raises(CorruptStoreError):
        Account.decode(bytes(length))


@given(accounts, st.integers(0, 2**32 - 1), st.integers(0, MAX_AMOUNT))
def test_holdings_stay_ascending_and_above_zero(account: Account, asset: int, amount: int) -> None:
    changed = account.with_amount(asset, amount)
    wanted = {**dict(account.holdings), asset: amount}
    if not amount:
        del wanted[asset]
    assert changed.holdings == tuple(sorted(wanted.items()))
    assert (changed.flags, changed.sequence) == (account.flags, account.sequence)
    assert changed.amount(asset) == amount


def test_what_comes_goes(state: WorkingState) -> None:
    assert read_account(state, NAME) is None
    credit(state, NAME, 3, 10)
    credit(state, NAME, 3, 5)
    credit(state, NAME, 0, 1)
    assert take(state, NAME, 3, 15) == Account(0, 0, ((0, 1), (3, 15)))
    assert read_account(state, NAME) == Account(0, 0, ((0, 1),))
    with refused(ResultCode.INSUFFICIENT_FUNDS):
        take(state, NAME, 3, 1)
    with refused(ResultCode.UNKNOWN_ACCOUNT):
        take(state, account_of(known_key("bob")), 0, 0)


def test_an_empty_account_stays(state: WorkingState) -> None:
    credit(state, NAME, 0, 10)
    take(state, NAME, 0, 10)
    assert state.get(account_key(NAME)) == bytes(9)


@pytest.mark.parametrize("weak", [*WEAK_KEYS, b"", bytes(31), bytes(33)], ids=bytes.hex)
def test_weak_keys_name_nothing(state: WorkingState, weak: bytes) -> None:
    for pay in (credit, release):
        with refused(ResultCode.WEAK_KEY):
            pay(state, weak, 0, 1)
    with refused(ResultCode.WEAK_KEY):
        ensure_account(state, weak)
    state.keep()
    assert state.changes == {}


def test_ensuring_changes_nothing_that_is_there(state: WorkingState) -> None:
    assert ensure_account(state, NAME) == Account()
    credit(state, NAME, 0, 10)
    assert ensure_account(state, NAME).amount(0) == 10


def test_limits(state: WorkingState) -> None:
    for asset in range(MAX_ASSETS):
        credit(state, NAME, asset, MAX_AMOUNT)
    with refused(ResultCode.AMOUNT_OVERFLOW):
        credit(state, NAME, 0, 1)
    with refused(ResultCode.TOO_MANY_ASSETS):
        credit(state, NAME, MAX_ASSETS, 1)
    # What the chain owes somebody is no gift that could be refused.
    release(state, NAME, MAX_ASSETS, 1)
    account = read_account(state, NAME)
    assert account is not None
    assert len(account.holdings) == MAX_ASSETS + 1
    with refused(ResultCode.TOO_MANY_ASSETS):
        credit(state, NAME, MAX_ASSETS + 1, 1)
    take(state, NAME, 0, 1)
    credit(state, NAME, 0, 1)
