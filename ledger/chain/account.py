"""Accounts: who may sign, how often they did, and what they have.

An account is named by its Ed25519 key of 32 bytes. It comes into being when something is
first paid to it; its key is checked then (`ledger.ed25519`), so that nobody pays to a key
that everybody can sign for. It is never deleted: its sequence keeps replays out.

The row, `state_keys.account_key`::

    u8 flags || u64be sequence || for each asset held, ascending: u32be asset || u64be amount

``flags``: 1 the account has spending caps; 2 it is a pool, which no key signs for.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.state_keys import account_key
from ledger.chain.working_state import WorkingState
from ledger.ed25519 import check_public_key
from ledger.errors import CorruptStoreError, MalformedError

MAX_AMOUNT: Final = 2**64 - 1
MAX_ASSETS: Final = 64
"""An account that holds as many assets is paid no further one; only `release` gives it one."""
FEE_ASSET: Final = 0

HAS_CAP: Final = 1
IS_POOL: Final = 2

_HEAD: Final = Struct(">BQ")
_HOLDING: Final = Struct(">IQ")
_ONE: Final = Struct(">BQIQ")


class Account(NamedTuple):
    """An account. ``holdings`` are (asset, amount), ascending, without zeros."""

    flags: int = 0
    sequence: int = 0
    holdings: tuple[tuple[int, int], ...] = ()

    def encode(self) -> bytes:
        """Return the row."""
        flags, sequence, holdings = self
        if len(holdings) == 1:
            return _ONE.pack(flags, sequence, *holdings[0])
        return _HEAD.pack(flags, sequence) + b"".join(_HOLDING.pack(*held) for held in holdings)

    @classmethod
    def decode(cls, row: bytes) -> Account:
        """Read a row. Raises CorruptStoreError."""
        if len(row) == _ONE.size:
            flags, sequence, asset, amount = _ONE.unpack(row)
            return cls(flags, sequence, ((asset, amount),))
        if len(row) < _HEAD.size or (len(row) - _HEAD.size) % _HOLDING.size:
            raise CorruptStoreError("an account's row in the state is damaged")
        flags, sequence = _HEAD.unpack_from(row)
        return cls(flags, sequence, tuple(_HOLDING.iter_unpack(row[_HEAD.size :])))

    def amount(self, asset: int) -> int:
        """What the account holds of an asset."""
        for held, amount in self.holdings:
            if held == asset:
                return amount
        return 0

    def with_amount(self, asset: int, amount: int) -> Account:
        """The account holding ``amount`` of an asset instead."""
        flags, sequence, holdings = self
        if len(holdings) == 1 and holdings[0][0] == asset and amount:
            return Account(flags, sequence, ((asset, amount),))
        rest = [held for held in holdings if held[0] != asset]
        if amount:
            rest = sorted([*rest, (asset, amount)])
        return Account(flags, sequence, tuple(rest))


def read_account(state: WorkingState, account: bytes) -> Account | None:
    """The account, or None where nothing was ever paid to it."""
    row = state.get(account_key(account))
    return None if row is None else Account.decode(row)


def write_account(state: WorkingState, name: bytes, account: Account) -> None:
    """Write an account's row."""
    state.put(account_key(name), account.encode())


def check_key(key: bytes) -> None:
    """Refuse, with `WEAK_KEY`, a public key that could not name an account."""
    try:
        check_public_key(key)
    except MalformedError as error:
        raise RefusalError(ResultCode.WEAK_KEY, error.message) from error


def ensure_account(state: WorkingState, name: bytes) -> Account:
    """The account; one without anything is made where there is none, its key checked."""
    account = read_account(state, name)
    if account is None:
        check_key(name)
        account = Account()
        write_account(state, name, account)
    return account


def credit(state: WorkingState, name: bytes, asset: int, amount: int) -> None:
    """Pay into an account, making it where there is none.

    Raises RefusalError: `AMOUNT_OVERFLOW`, `TOO_MANY_ASSETS`, `WEAK_KEY`.
    """
    account = read_account(state, name)
    if account is None:
        check_key(name)
        account = Account()
    held = account.amount(asset)
    if not held and len(account.holdings) >= MAX_ASSETS:
        raise RefusalError(ResultCode.TOO_MANY_ASSETS, f"an account of over {MAX_ASSETS} assets")
    total = held + amount
    if total > MAX_AMOUNT:
        raise RefusalError(ResultCode.AMOUNT_OVERFLOW, "an account cannot hold 2^64 units")
    write_account(state, name, account.with_amount(asset, total))


def release(state: WorkingState, name: bytes, asset: int, amount: int) -> None:
    """Pay into an account what the chain has held for it, however many assets it has.

    Were this refused, one side of a channel could fill its account with other assets and
    so hold up a close that pays the other.
    """
    account = ensure_account(state, name)
    write_account(state, name, account.with_amount(asset, account.amount(asset) + amount))


def take(state: WorkingState, name: bytes, asset: int, amount: int) -> Account:
    """Take from an account, whatever its spending caps; the account as it was before.

    `spending.debit` is what rules use. Raises RefusalError: `UNKNOWN_ACCOUNT`,
    `INSUFFICIENT_FUNDS`.
    """
    account = read_account(state, name)
    if account is None:
        raise RefusalError(ResultCode.UNKNOWN_ACCOUNT, "nothing was ever paid to this account")
    rest = account.amount(asset) - amount
    if rest < 0:
        raise RefusalError(
            ResultCode.INSUFFICIENT_FUNDS, f"the account has {rest + amount} of asset {asset}"
        )
    write_account(state, name, account.with_amount(asset, rest))
    return account
