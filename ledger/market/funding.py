"""Money for a grant's one-time key, out of the fleet's pool, in amounts that everybody uses.

A member that paid its key itself would say who it is. So the fleet's authority pays, and pays
1, 2 or 5 times a power of ten, so that amounts tell no purchases apart; what is left goes back
to the pool when the channel is closed. Whoever asks may be anybody that reaches the gateway:
`PoolFunding` pays only what a grant on the chain needs that is of this fleet and not over, to
the key that the grant names, and once, within the limits that the fleet has set
(`ledger.market.funding_limits`). Once consent of the recording is withdrawn that is no more than
the fee of the receipt that it is erased, which no limit keeps back.

::

    FOLDER/<grant id in hex>.<asset>    the payment as it was signed, before it is submitted
    FOLDER/<grant id in hex>.erasure    the fee of a receipt of erasure, likewise
    FOLDER/paid-lately                  `ledger.market.funding_limits`
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final, Protocol

from ledger.chain.account import FEE_ASSET
from ledger.chain.notices import Held, notice_of
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.proven.kept import require_carried_out
from ledger.chain.state_keys import grant_key
from ledger.errors import NotFoundError, RefusedError
from ledger.exchange.grant import Grant
from ledger.experience.private_folder import make_private_folder
from ledger.market.funding_limits import FundingLimits, PaidLately
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_identity_pb2 import PayFromPool
from ledger.wallet.wallet import Wallet

TRANSACTIONS: Final = 6
"""That a one-time key pays the fees of at most: open, close, settle, and give back twice."""
_STEPS: Final = (1, 2, 5)
_MAX_AMOUNT: Final = 2**64 - 1
UNLIMITED: Final = FundingLimits()


class Funding(Protocol):
    """Where a one-time key gets its money: a pool here, or a gateway that has one."""

    def fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
        """See that ``account``, the key of ``grant``, has ``amount`` of an asset at least.

        Done when this returns, durably; asking again pays nothing more. Raises RefusedError
        for what is not paid for, NotFoundError for no such grant; `RefusalError`,
        `EngineError`, and what the way to the gateway raises.
        """
        ...


class PoolFunding:
    """Pays from a fleet's pool with the wallet of the fleet's authority. Threads take turns."""

    def __init__(
        self,
        chain: ProvenChain,
        authority: Wallet,
        fleet: bytes,
        folder: Path,
        limits: FundingLimits = UNLIMITED,
    ) -> None:
        """``fleet`` is its id, 32 bytes; ``folder`` keeps what was paid for which grant."""
        self._chain: Final = chain
        self._authority: Final = authority
        self._fleet: Final = fleet
        self._folder: Final = folder
        self._limits: Final = limits
        self._lately: Final = PaidLately(folder, limits)
        self._turn: Final = threading.Lock()

    def __repr__(self) -> str:
        return f"PoolFunding(fleet {self._fleet.hex()})"

    def fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
        """See `Funding.fund`. Raises FundingLimitError for more than the limits let be paid."""
        with self._turn:
            self._fund(grant, account, asset, amount)

    def _fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
        record = self._granted(grant, account)
        fee = self._chain.parameters.min_fee
        receipt = notice_of(self._chain, Held(grant, record.offer)) is not None
        payable = None if receipt else self._payable(grant, record)
        needed = {FEE_ASSET: fee} if payable is None else need_of(payable, fee)
        if not 0 < amount <= needed.get(asset, 0):
            raise RefusedError(
                f"the grant needs no {amount} of asset {asset}",
                hint="ask for what its price and a few fees come to",
            )
        path = self._folder / payment_name(grant, asset, receipt=receipt)
        if not path.exists():
            held = self._chain.account(account)
            if held is not None and held.amount(asset) >= amount:
                return
            if held is not None and held.sequence > 1 and not receipt:
                raise RefusedError(
                    "the key has spent money already", hint="begin another acquisition"
                )
            make_private_folder(self._folder)
            if payable is not None:
                self._limits.require_price(payable.price, payable.asset)
                self._lately.add(grant, asset, denomination(amount), self._chain.height())
        message = PayFromPool(
            fleet=self._fleet, asset=asset, recipient=account, amount=denomination(amount)
        )
        require_carried_out(self._chain, path, self._authority, message)

    def _granted(self, grant: bytes, account: bytes) -> GrantRecord:
        record = self._chain.read(GrantRecord, grant_key(grant))
        if record is None:
            raise NotFoundError("the chain has no such grant", hint="ask once it is granted")
        if record.fleet != self._fleet:
            raise RefusedError("the grant is of another fleet's member", hint="ask that fleet")
        if record.key != account:
            raise RefusedError("the grant is another key's", hint="name the key that asked for it")
        return record

    def _payable(self, grant: bytes, record: GrantRecord) -> Grant:
        if self._chain.height() > record.expiry_height:
            raise RefusedError("the grant is over", hint="ask for another")
        return Grant.of_record(self._chain.chain, grant, record)


def payment_name(grant: bytes, asset: int, *, receipt: bool) -> str:
    """The file of what was paid for a grant, or for the receipt that it is erased."""
    return f"{grant.hex()}.{'erasure' if receipt else asset}"


def need_of(grant: Grant, min_fee: int) -> dict[int, int]:
    """What a grant's key needs of each asset: the price of all, and its own fees."""
    return need_of_price(grant.price, grant.asset, min_fee)


def need_of_price(price: int, asset: int, min_fee: int) -> dict[int, int]:
    """The same of a grant at this price; nothing for what is free."""
    if not price:
        return {}
    needed = {FEE_ASSET: TRANSACTIONS * min_fee}
    needed[asset] = needed.get(asset, 0) + price
    return {each: amount for each, amount in needed.items() if amount}


def denomination(amount: int) -> int:
    """The least of 1, 2, 5 times a power of ten that is ``amount`` or more.

    Where that is beyond 2^64 - 1, ``amount`` itself.
    """
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= amount:
                return min(step * power, _MAX_AMOUNT) if step * power <= _MAX_AMOUNT else amount
        power *= 10
