"""The genesis of a new chain, from a file and from options, with defaults for the rest.

::

    origin: example.com/settlement   # the name of the chain's log
    min_fee: "0.01"                  # of a transaction, in the first asset [1 unit]
    treasury: ACCOUNT                # where fees go [the governor that is made]
    governors:                       # who may mint [one, whose wallet is made]
      threshold: 1
      keys: [ACCOUNT]
    assets:                          # the first pays fees [QPU with 6 decimals]
      - {symbol: QPU, decimals: 6}
    allocations:                     # [1,000,000 of the first asset to the treasury]
      - {account: ACCOUNT, asset: QPU, amount: "1000.00"}
    block: {transactions: 5000, bytes: 4194304}      # of a block, at most
    delays: {cap: 100, recovery: 1000, overlap: 1000, challenge: 10}   # in blocks

JSON is YAML. ACCOUNT is 64 hex digits, or a verifier key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ledger.chain.genesis import (
    MAX_BLOCK_BYTES,
    MAX_BLOCK_TRANSACTIONS,
    MAX_BLOCKS,
    MAX_DECIMALS,
    MAX_GOVERNORS,
    VERSION,
    Genesis,
)
from ledger.chain.transaction import MAX_TRANSACTION_BYTES
from ledger.cli.amounts import MAX_UNITS, parse_amount
from ledger.cli.chain_names import parse_account
from ledger.errors import LedgerError, MalformedError
from ledger.fleet.document import Node, read_document
from ledger.schema import chain_payment_pb2, chain_pb2

DEFAULT_ORIGIN: Final = "quipu/settlement"
DEFAULT_ASSET: Final = "QPU:6"
DEFAULT_SUPPLY: Final = "1000000"
_DELAYS: Final = {"cap": 100, "recovery": 1_000, "overlap": 1_000, "challenge": 10}


@dataclass(frozen=True, slots=True)
class GenesisPlan:
    """What was said of a new chain; what was not is empty."""

    origin: str = ""
    min_fee: str = ""
    treasury: str = ""
    governors: tuple[str, ...] = ()
    threshold: int = 0
    assets: tuple[tuple[str, int], ...] = ()
    """(symbol, decimals)."""
    allocations: tuple[tuple[str, str, str], ...] = ()
    """(account, symbol, amount)."""
    block_transactions: int = 5_000
    block_bytes: int = 4 << 20
    delays: Mapping[str, int] = field(default_factory=lambda: dict(_DELAYS))

    @property
    def needs_governor(self) -> bool:
        """Whether a governor's wallet must be made."""
        return not self.governors or not self.treasury

    def genesis(self, time_ns: int, governor: bytes | None) -> Genesis:
        """The genesis, with ``governor`` where none was named. Raises MalformedError."""
        assets = self.assets or (parse_asset(DEFAULT_ASSET),)
        symbols = {symbol: number for number, (symbol, _) in enumerate(assets)}
        if len(symbols) != len(assets):
            raise MalformedError("two assets have one symbol", hint="name each differently")
        treasury = _account(self.treasury) if self.treasury else governor or b""
        keys = [_account(key) for key in self.governors] or [governor or b""]
        given = self.allocations or ((treasury.hex(), assets[0][0], DEFAULT_SUPPLY),)
        totals: dict[tuple[bytes, int], int] = {}
        for account, symbol, amount in given:
            if symbol not in symbols:
                raise MalformedError(
                    f"an allocation of {symbol}, which is no asset of the chain",
                    hint=f"its assets are {', '.join(symbols)}",
                )
            number = symbols[symbol]
            place = _account(account), number
            total = totals.get(place, 0) + parse_amount(amount, assets[number][1])
            if total > MAX_UNITS:
                raise MalformedError(f"more {symbol} than there can be", hint="allocate less")
            totals[place] = total
        delays = {**_DELAYS, **self.delays}
        return Genesis.make(
            chain_pb2.Genesis(
                version=VERSION,
                origin=self.origin or DEFAULT_ORIGIN,
                time_ns=time_ns,
                parameters=chain_pb2.Parameters(
                    min_fee=parse_amount(self.min_fee, assets[0][1]) if self.min_fee else 1,
                    treasury=treasury,
                    max_block_transactions=self.block_transactions,
                    max_block_bytes=self.block_bytes,
                    cap_delay=delays["cap"],
                    recovery_delay=delays["recovery"],
                    max_overlap=delays["overlap"],
                    min_challenge=delays["challenge"],
                ),
                governors=chain_pb2.Governors(
                    threshold=self.threshold or len(keys), keys=sorted(keys)
                ),
                assets=[
                    chain_payment_pb2.Asset(id=number, symbol=symbol, decimals=decimals)
                    for number, (symbol, decimals) in enumerate(assets)
                ],
                allocations=[
                    chain_pb2.Allocation(account=account, asset=asset, amount=amount)
                    for (account, asset), amount in sorted(totals.items())
                ],
            )
        )


def read_plan(path: Path) -> GenesisPlan:
    """Read a file. Raises NotFoundError and MalformedError, which name the line."""
    document = read_document(path).mapping(
        "origin",
        "min_fee",
        "treasury",
        "governors",
        "assets",
        "allocations",
        "block",
        "delays",
    )
    plan = GenesisPlan()
    if "origin" in document:
        plan = replace(plan, origin=_word(document["origin"]))
    if "min_fee" in document:
        plan = replace(plan, min_fee=_word(document["min_fee"]))
    if "treasury" in document:
        plan = replace(plan, treasury=_word(document["treasury"]))
    if "governors" in document:
        said = document["governors"].mapping("threshold", "keys")
        keys = tuple(_word(each) for each in said["keys"].items()) if "keys" in said else ()
        threshold = said["threshold"].whole(1, MAX_GOVERNORS) if "threshold" in said else 0
        plan = replace(plan, governors=keys, threshold=threshold)
    if "assets" in document:
        plan = replace(plan, assets=tuple(map(_asset, document["assets"].items())))
    if "allocations" in document:
        plan = replace(plan, allocations=tuple(map(_allocation, document["allocations"].items())))
    if "block" in document:
        block = document["block"].mapping("transactions", "bytes")
        if "transactions" in block:
            most = block["transactions"].whole(1, MAX_BLOCK_TRANSACTIONS)
            plan = replace(plan, block_transactions=most)
        if "bytes" in block:
            most = block["bytes"].whole(MAX_TRANSACTION_BYTES, MAX_BLOCK_BYTES)
            plan = replace(plan, block_bytes=most)
    if "delays" in document:
        said = document["delays"].mapping(*_DELAYS)
        plan = replace(
            plan, delays={name: each.whole(1, MAX_BLOCKS) for name, each in said.items()}
        )
    return plan


def parse_asset(text: str) -> tuple[str, int]:
    """``SYMBOL:DECIMALS``. Raises MalformedError."""
    symbol, colon, decimals = text.partition(":")
    if not (colon and decimals.isascii() and decimals.isdigit() and len(decimals) <= 2):
        raise MalformedError(f"{text[:40]!r} is no asset", hint="write it SYMBOL:DECIMALS: EUR:2")
    return symbol, int(decimals)


def parse_allocation(text: str, assets: Sequence[tuple[str, int]]) -> tuple[str, str, str]:
    """``ACCOUNT=AMOUNT`` or ``ACCOUNT=AMOUNT:SYMBOL``. Raises MalformedError."""
    account, equals, amount = text.rpartition("=")  # a verifier key may end in one
    amount, _, symbol = amount.partition(":")
    if not (account and equals and amount):
        raise MalformedError(
            f"{text[:40]!r} is no allocation", hint="write it ACCOUNT=AMOUNT or ACCOUNT=AMOUNT:EUR"
        )
    return account, symbol or (assets[0][0] if assets else parse_asset(DEFAULT_ASSET)[0]), amount


def _asset(node: Node) -> tuple[str, int]:
    said = node.mapping("symbol", "decimals")
    if "symbol" not in said:
        raise node.fault("needs a symbol")
    decimals = said["decimals"].whole(0, MAX_DECIMALS) if "decimals" in said else 0
    return said["symbol"].text(), decimals


def _allocation(node: Node) -> tuple[str, str, str]:
    said = node.mapping("account", "asset", "amount")
    for name in ("account", "asset", "amount"):
        if name not in said:
            raise node.fault(f"needs: {name}")
    return _word(said["account"]), said["asset"].text(), _word(said["amount"])


def _word(node: Node) -> str:
    """A word, or a whole number written without quotes. A float would not be exact."""
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(int(node.value))
    if isinstance(node.value, float):
        raise node.fault("must be in quotes: a number with a point is not exact")
    return node.text()


def _account(text: str) -> bytes:
    try:
        return parse_account(text, b"")
    except LedgerError as error:
        error.hint = error.hint or "an account is 64 hex digits, or a verifier key"
        raise
