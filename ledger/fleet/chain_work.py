"""A chain as the fleet's preparation works with it: read with proof, one transaction at a time."""

from __future__ import annotations

from ledger.chain.account import FEE_ASSET
from ledger.chain.proven.chain import ProvenChain


class ChainWork(ProvenChain):
    """One chain at work. Methods raise as its service does, and VerificationError."""

    def money(self, name: bytes) -> int:
        """What an account has of the asset that pays fees."""
        return self.balance(name, FEE_ASSET)
