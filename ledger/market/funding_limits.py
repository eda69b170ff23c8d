"""What a fleet's pool pays for at most, and what it has paid lately.

Whoever gets a grant as a member of a fleet has it paid for, whatever its price, and nobody can
tell which member that is. So a fleet can say what one grant may cost, and what may leave its
pool in so many blocks, so that one robot that is broken into empties no pool.

::

    FOLDER/paid-lately      a line that names the format, then one line for each payment:
                            height, asset, amount, id of the grant in hex

A payment is written there before it is signed, once however often it is asked for; what was
written and never paid counts all the same. Lines older than the period are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ledger.chain.leaf import ID_SIZE
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, RefusedError
from ledger.storage.os_errors import storage_errors

PAID_LATELY: Final = "paid-lately"
PERIOD_BLOCKS: Final = 8_640
"""A day, where a chain makes a block each 10 s, as it does when nobody asks for any."""

_FORMAT: Final = b"quipu/paid-lately/v1\n"
_NUMBER: Final = rb"(0|[1-9][0-9]{0,19})"
_LINE: Final = re.compile(
    rb" ".join((_NUMBER, _NUMBER, _NUMBER, rb"([0-9a-f]{%d})" % (2 * ID_SIZE)))
)
_MAX_U64: Final = 2**64 - 1


class FundingLimitError(RefusedError):
    """A grant that costs more than its fleet pays for one, or pays for now."""


@dataclass(frozen=True, slots=True)
class FundingLimits:
    """Amounts are in an asset's smallest units, and hold for each asset by itself."""

    most_price: int | None = None
    """Of one grant; None: whatever it costs."""
    most_per_period: int | None = None
    """That leaves the pool for grants in ``period`` blocks, fees and what amounts are rounded
    up by included; None: all of it."""
    period: int = PERIOD_BLOCKS

    def __post_init__(self) -> None:
        """Raises RefusedError for numbers that limit nothing as they should."""
        if min(self.most_price or 0, self.most_per_period or 0) < 0 or self.period < 1:
            raise RefusedError("a limit of a pool is not negative, and a period 1 block or more")

    def require_price(self, price: int, asset: int) -> None:
        """Raises FundingLimitError for a grant that costs too much."""
        if self.most_price is not None and price > self.most_price:
            raise FundingLimitError(
                f"the fleet pays at most {self.most_price} of asset {asset} for one grant, and"
                f" this one costs {price}",
                hint="buy what costs less, or have the limit raised",
            )


class _Payment(NamedTuple):
    height: int
    asset: int
    amount: int
    grant: bytes


class PaidLately:
    """What was paid in the last period. One thread and one process at a time."""

    def __init__(self, folder: Path, limits: FundingLimits) -> None:
        """``folder`` is there once something is paid."""
        self._path: Final = folder / PAID_LATELY
        self._limits: Final = limits

    def add(self, grant: bytes, asset: int, amount: int, height: int) -> None:
        """Note, durably, that so much is going to be paid for a grant; again changes nothing.

        Raises FundingLimitError where that is too much at this height; CorruptStoreError,
        StorageError.
        """
        most, period = self._limits.most_per_period, self._limits.period
        if most is None:
            return
        others = [
            each
            for each in self._read()
            if each.height + period > height and (each.grant, each.asset) != (grant, asset)
        ]
        paid = sum(each.amount for each in others if each.asset == asset)
        if paid + amount > most:
            raise FundingLimitError(
                f"the fleet pays at most {most} of asset {asset} for grants in {period} blocks,"
                f" and {paid} of it are paid: {amount} more is too much",
                hint="ask again later, or have the limit raised",
            )
        self._write([*others, _Payment(height, asset, amount, grant)])

    def _read(self) -> list[_Payment]:
        with storage_errors(self._path):
            if not self._path.exists():
                return []
            encoded = self._path.read_bytes()
        head, rest = encoded[: len(_FORMAT)], encoded[len(_FORMAT) :]
        lines = rest.split(b"\n")
        if head != _FORMAT or lines.pop():
            raise self._damaged()
        payments = [self._parse(line) for line in lines]
        if len({(each.grant, each.asset) for each in payments}) < len(payments):
            raise self._damaged()
        return payments

    def _parse(self, line: bytes) -> _Payment:
        found = _LINE.fullmatch(line)
        if found is None:
            raise self._damaged()
        height, asset, amount = (int(found[number]) for number in (1, 2, 3))
        if max(height, amount) > _MAX_U64 or asset >= 1 << 32:
            raise self._damaged()
        return _Payment(height, asset, amount, bytes.fromhex(found[4].decode()))

    def _write(self, payments: list[_Payment]) -> None:
        lines = (f"{at} {asset} {amount} {name.hex()}\n" for at, asset, amount, name in payments)
        with storage_errors(self._path):
            write_durably(self._path, _FORMAT + "".join(lines).encode(), mode=PRIVATE)

    def _damaged(self) -> CorruptStoreError:
        return CorruptStoreError(
            f"{self._path} is damaged, and says no more what the pool has paid",
            hint="remove it, and what was paid lately is not counted",
        )
