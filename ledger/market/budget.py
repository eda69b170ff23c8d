"""How much may be spent: in all, on one purchase, and for each purpose.

A purchase reserves the most that it can cost before any money moves, and gives back what was
not spent when it is over. What is reserved counts as spent until then, so a crash anywhere
leaves less to be spent, never more; `ledger.market.reservations` finds what no purchase needs.

One file, replaced whole under a lock beside it, mode 0600::

    quipu-budget/v2                         v1 says "reserved" of what spends, too
    asset 0
    total 5000                              "-" for no limit
    purchase 500
    purpose 3000 training                   one line a purpose that has a limit
    spent 120 training                      one line a purpose
    reserved 62 <name in hex> training      one line a purchase that is under way, or
    spends 62 <name in hex> training        that of one whose money may have moved
    sha256 <of all lines before, in hex>

Amounts are in the asset's smallest units. A purpose is at the end of its line, whatever is in it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.experience.private_folder import make_private_folder
from ledger.storage.os_errors import storage_errors

_FIRST: Final = "quipu-budget/v2"
_BEFORE: Final = "quipu-budget/v1"
_RESERVED: Final = "reserved"
_SPENDS: Final = "spends"
_MAX_AMOUNT: Final = 2**64 - 1


class OverBudgetError(RefusedError):
    """A purchase may cost more than may be spent, in smallest units. Nothing was reserved."""

    def __init__(self, amount: int, left: int) -> None:
        super().__init__(
            f"it may cost {amount}, and {left} may still be spent on it",
            hint="raise the limit, or look for a cheaper one",
        )
        self.amount = amount
        self.left = left


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be spent, in smallest units; None: no limit.

    Raises MalformedError for what no budget can say.
    """

    total: int | None = None
    purchase: int | None = None
    """Of one purchase."""
    purposes: Mapping[str, int] = field(default_factory=dict)
    """A purpose that is not here is limited by the others alone."""

    def __post_init__(self) -> None:
        amounts = [self.total or 0, self.purchase or 0, *self.purposes.values()]
        if any(not 0 <= amount <= _MAX_AMOUNT for amount in amounts):
            raise MalformedError("a limit is 0 to 2^64 - 1")
        for purpose in self.purposes:
            _require_purpose(purpose)


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a purchase that is under way may cost."""

    amount: int
    purpose: str
    spends: bool = False
    """Whether its money may have moved."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget as it is now."""

    asset: int
    limits: Limits
    spent: Mapping[str, int] = field(default_factory=dict)
    """By purpose."""
    reserved: Mapping[bytes, Reserved] = field(default_factory=dict)
    """By the purchase's name."""

    def used(self, purpose: str | None = None, without: bytes = b"") -> int:
        """What is spent or reserved, in all or for a purpose, one purchase left out."""
        spent = sum(
            amount for each, amount in self.spent.items() if purpose is None or each == purpose
        )
        return spent + sum(
            each.amount
            for name, each in self.reserved.items()
            if name != without and (purpose is None or each.purpose == purpose)
        )

    def left(self, purpose: str, without: bytes = b"") -> int | None:
        """What one more purchase for a purpose may cost at most; None: no limit."""
        limits = self.limits
        rests = [limits.purchase]
        if limits.total is not None:
            rests.append(max(0, limits.total - self.used(without=without)))
        if purpose in limits.purposes:
            rests.append(max(0, limits.purposes[purpose] - self.used(purpose, without)))
        known = [rest for rest in rests if rest is not None]
        return min(known) if known else None


class Budget:
    """A budget's file. Any thread and any process may use it: one at a time changes it.

    Methods raise NotFoundError where there is none, CorruptStoreError, StorageError.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    @classmethod
    def create(cls, path: Path, limits: Limits, asset: int = 0) -> Budget:
        """Make a budget, durably. Raises RefusedError where one is."""
        make_private_folder(path.parent)
        budget = cls(path)
        with budget._locked():
            if path.exists():
                raise RefusedError(f"there is a budget {path} already", hint="change its limits")
            budget._write(Standing(asset, limits))
        return budget

    def standing(self) -> Standing:
        """What may be spent, was, and is reserved."""
        with storage_errors(self.path):
            if not self.path.exists():
                raise NotFoundError(f"there is no budget {self.path}", hint="make one first")
            data = self.path.read_bytes()
        try:
            return _decode(data)
        except (MalformedError, ValueError):
            raise CorruptStoreError(
                f"the budget {self.path} is damaged", hint="take it from a copy of the folder"
            ) from None

    def set_limits(self, limits: Limits) -> None:
        """Set other limits, durably. What is spent or reserved stays, be it more."""
        with self._locked():
            self._write(replace(self.standing(), limits=limits))

    def reserve(
        self, name: bytes, purpose: str, asset: int, amount: int, *, spends: bool = False
    ) -> None:
        """Reserve the most that a purchase may cost, durably, instead of what it had before.

        Once more before money moves, as what ``spends``. Raises `OverBudgetError`, and
        RefusedError for another asset; nothing has changed then.
        """
        _require_purpose(purpose)
        with self._locked():
            now = self.standing()
            if asset != now.asset:
                raise RefusedError(
                    f"it is paid in asset {asset}, and the budget is of asset {now.asset}",
                    hint="make a budget for each asset",
                )
            left = now.left(purpose, without=name)
            if left is not None and amount > left:
                raise OverBudgetError(amount, left)
            reserved = {**now.reserved, name: Reserved(amount, purpose, spends)}
            self._write(replace(now, reserved=reserved))

    def settle(self, name: bytes, spent: int) -> None:
        """End a purchase, durably: what it cost is spent, the rest of what it reserved free.

        A purchase that reserved nothing, or was settled before, changes nothing.
        """
        with self._locked():
            now = self.standing()
            reserved = dict(now.reserved)
            ended = reserved.pop(name, None)
            if ended is None:
                return
            before = now.spent.get(ended.purpose, 0)
            total = {**now.spent, ended.purpose: before + spent}
            self._write(replace(now, reserved=reserved, spent=total))

    def free(self, name: bytes) -> None:
        """End a purchase that has reserved and moved nothing yet, durably; another stays."""
        with self._locked():
            now = self.standing()
            each = now.reserved.get(name)
            if each is not None and not each.spends:
                left = {key: other for key, other in now.reserved.items() if key != name}
                self._write(replace(now, reserved=left))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self.path.with_name(self.path.name + ".lock")
        with storage_errors(self.path), lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, standing: Standing) -> None:
        with storage_errors(self.path):
            write_durably(self.path, _encode(standing), mode=PRIVATE)


def _encode(standing: Standing) -> bytes:
    limits = standing.limits
    lines = [
        _FIRST,
        f"asset {standing.asset}",
        f"total {_limit(limits.total)}",
        f"purchase {_limit(limits.purchase)}",
        *(f"purpose {amount} {name}" for name, amount in sorted(limits.purposes.items())),
        *(f"spent {amount} {name}" for name, amount in sorted(standing.spent.items()) if amount),
        *(
            f"{_SPENDS if each.spends else _RESERVED} {each.amount} {name.hex()} {each.purpose}"
            for name, each in sorted(standing.reserved.items())
        ),
        "",
    ]
    content = "\n".join(lines).encode("utf-8")
    return content + f"sha256 {sha256(content).hexdigest()}\n".encode("ascii")


def _decode(data: bytes) -> Standing:
    """Read a file. Raises MalformedError, ValueError."""
    content, mark, digest = data.rpartition(b"sha256 ")
    if not mark or digest != sha256(content).hexdigest().encode("ascii") + b"\n":
        raise MalformedError("its content is not what was written")
    lines = content.decode("utf-8").split("\n")
    if lines[0] not in (_FIRST, _BEFORE) or lines[-1]:
        raise MalformedError("no budget")
    heads = [line.split(" ", 1)[1] for line in lines[1:4]]
    asset, total, purchase = int(heads[0]), _amount(heads[1]), _amount(heads[2])
    purposes: dict[str, int] = {}
    spent: dict[str, int] = {}
    reserved: dict[bytes, Reserved] = {}
    for line in lines[4:-1]:
        word, amount, rest = line.split(" ", 2)
        if word in (_RESERVED, _SPENDS):
            name, purpose = rest.split(" ", 1)
            spends = word == _SPENDS or lines[0] == _BEFORE
            reserved[bytes.fromhex(name)] = Reserved(int(amount), purpose, spends)
        else:
            (purposes if word == "purpose" else spent)[rest] = int(amount)
    return Standing(asset, Limits(total, purchase, purposes), spent, reserved)


def _limit(amount: int | None) -> str:
    return "-" if amount is None else str(amount)


def _amount(word: str) -> int | None:
    return None if word == "-" else int(word)


def _require_purpose(purpose: str) -> None:
    if not purpose or any(not char.isprintable() for char in purpose):
        raise MalformedError("a purpose is text without control characters")
