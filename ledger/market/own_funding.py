"""Money for a one-time key out of a wallet of the buyer's own.

The chain then shows whose wallet paid for which grant, and so who the member was: for buyers
who have no name to hide. It pays the exact amount, and what is left comes back to the wallet.

::

    FOLDER/<grant id in hex>.<asset>    the payment as it was signed, before it is submitted
    FOLDER/<grant id in hex>.erasure    the fee of a receipt of erasure, likewise
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.chain.notices import Held, notice_of
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.proven.kept import require_carried_out
from ledger.chain.state_keys import grant_key
from ledger.experience.private_folder import make_private_folder
from ledger.market.funding import payment_name
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.wallet.wallet import Wallet


class OwnFunding:
    """A `ledger.market.funding.Funding` from one wallet. One thread at a time."""

    def __init__(self, chain: ProvenChain, wallet: Wallet, folder: Path) -> None:
        """``folder`` keeps what was paid for which grant."""
        self._chain: Final = chain
        self._wallet: Final = wallet
        self._folder: Final = folder

    def __repr__(self) -> str:
        return f"OwnFunding({self._wallet.account.hex()})"

    def fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
        """See `Funding.fund`."""
        path = self._folder / payment_name(grant, asset, receipt=self._is_noticed(grant))
        if not path.exists():
            if self._chain.balance(account, asset) >= amount:
                return
            make_private_folder(self._folder)
        message = Transfer(asset=asset, recipient=account, amount=amount)
        require_carried_out(self._chain, path, self._wallet, message)

    def _is_noticed(self, grant: bytes) -> bool:
        record = self._chain.read(GrantRecord, grant_key(grant))
        return record is not None and notice_of(self._chain, Held(grant, record.offer)) is not None
