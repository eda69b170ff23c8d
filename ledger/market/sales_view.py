"""A storefront's sales for people, read from its folder whether one runs there or not.

::

    FOLDER/
      lock                              one storefront at a time
      <seller's account in hex>/
        wallet-at                       the path of the wallet that is paid, and a line feed
        *.note  *.sale  *.close         `ledger.market.till`
        whole/                          the same of atomic sales
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ledger.errors import NotFoundError
from ledger.market.sale_note import SaleNote, SaleStage, noted_sales, read_note
from ledger.storage.os_errors import storage_errors
from ledger.wallet.channel_file import Stage
from ledger.wallet.looking import look_at_payee

WALLET_AT: Final = "wallet-at"
WHOLE: Final = "whole"
_SELLER: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SaleView:
    """One sale."""

    grant: bytes
    """Its id, 32 bytes."""
    seller: bytes
    """The account that is paid, 32 bytes."""
    offer: bytes
    """Id of the offer, 32 bytes; nothing where it is not known."""
    origin: str
    """Of the robot's log that the recording is in; empty where it is not known."""
    index: int
    """Of the recording's entry in that log."""
    size: int
    """Of the content, in bytes."""
    asset: int
    price: int
    """Of the whole, in smallest units."""
    count: int
    """Units of the whole."""
    units: int
    """That were given."""
    paid_by_buyer: int
    """So far, or in the end, in smallest units; what is locked is not paid yet."""
    earned: int
    """What the seller has of that, after royalties to others."""
    stage: SaleStage
    expiry_height: int
    """The last height at which something new is given."""
    is_atomic: bool = False
    """Whether it is sold whole, its price locked on the chain, and not by the unit."""
    lost: int = 0
    """Of the seller's deposit, in smallest units: a unit was wrong, or the key came too late."""

    @property
    def is_whole(self) -> bool:
        """Whether all was given."""
        return self.units == self.count


def seller_folder(folder: Path, seller: bytes) -> Path:
    """Where a storefront keeps the sales of one account."""
    return folder / seller.hex()


def selling_accounts(folder: Path) -> tuple[bytes, ...]:
    """The accounts that a storefront has sold for, ascending. Raises StorageError."""
    with storage_errors(folder):
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return tuple(bytes.fromhex(name) for name in names if _SELLER.fullmatch(name))


def list_sales(folder: Path) -> tuple[SaleView, ...]:
    """Every sale of the storefront at ``folder``, by account and grant.

    Raises NotFoundError where no storefront ever was, CorruptStoreError, StorageError.
    """
    if not folder.is_dir():
        raise NotFoundError(f"no storefront has sold anything at {folder}")
    views = []
    for seller in selling_accounts(folder):
        place = seller_folder(folder, seller)
        views += [view_of(note, _wallet_at(place)) for note in _notes(place)]
        if (place / WHOLE).is_dir():
            views += [replace(view_of(note), is_atomic=True) for note in _notes(place / WHOLE)]
    return tuple(views)


def _notes(place: Path) -> list[SaleNote]:
    found = [read_note(place, grant) for grant in noted_sales(place)]
    return [note for note in found if note is not None]


def view_of(note: SaleNote, wallet: Path | None = None) -> SaleView:
    """A sale as note and wallet say. Raises CorruptStoreError, StorageError."""
    grant, stage, paid, earned = note.grant, note.stage, note.paid, note.earned
    if not stage.is_over and note.channel and wallet is not None:
        row = look_at_payee(wallet, note.channel)
        if row is not None:
            paid, earned = row.earned, note.earned_of(row.earned)
            stage = SaleStage.CLOSING if row.stage is Stage.CLOSING else stage
    about = note.recording
    return SaleView(
        grant=grant.grant,
        seller=grant.seller,
        offer=about.offer if about else b"",
        origin=about.origin if about else "",
        index=about.index if about else 0,
        size=grant.content_size,
        asset=grant.asset,
        price=grant.price,
        count=grant.count,
        units=max(note.units, grant.units_for(paid)),
        paid_by_buyer=paid,
        earned=earned,
        stage=stage,
        expiry_height=grant.expiry_height,
        lost=note.lost,
    )


def _wallet_at(place: Path) -> Path | None:
    path = place / WALLET_AT
    with storage_errors(path):
        return Path(path.read_text().removesuffix("\n")) if path.exists() else None
