"""Every account's money, by the movements that transactions made: double entry.

What leaves one account comes to another, or to what the chain holds for a channel or a
sale. The rules are not asked; so the books say independently of them what an account has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


class Books:
    """Accounts by name, each with its amounts by asset. ``minted`` is by asset too."""

    def __init__(self) -> None:
        self.accounts: dict[bytes, dict[int, int]] = {}
        self.minted: dict[int, int] = defaultdict(int)
        self.held: dict[int, int] = defaultdict(int)
        """Set aside in channels and sales."""

    def mint(self, account: bytes, asset: int, amount: int) -> None:
        """Money that comes into being."""
        self.minted[asset] += amount
        self._add(account, asset, amount)

    def pay(self, payer: bytes, payee: bytes, asset: int, amount: int) -> None:
        """From one account to another."""
        self._add(payer, asset, -amount)
        self._add(payee, asset, amount)

    def set_aside(self, payer: bytes, asset: int, amount: int) -> None:
        """From an account to what the chain holds."""
        self._add(payer, asset, -amount)
        self.held[asset] += amount

    def release(self, payee: bytes, asset: int, amount: int) -> None:
        """From what the chain holds to an account."""
        self.held[asset] -= amount
        self._add(payee, asset, amount)

    def amount(self, account: bytes, asset: int) -> int:
        """What an account has."""
        return self.accounts.get(account, {}).get(asset, 0)

    def open_with(self, account: bytes, holdings: Iterable[tuple[int, int]]) -> None:
        """An account of the state that the books begin with."""
        for asset, amount in holdings:
            self._add(account, asset, amount)

    def _add(self, account: bytes, asset: int, amount: int) -> None:
        if amount:
            held = self.accounts.setdefault(account, {})
            held[asset] = held.get(asset, 0) + amount
