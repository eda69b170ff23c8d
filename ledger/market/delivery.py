"""What comes with the content: the seller's entry, and from it the recording's files.

The entry comes in the deed, with what opens its commitments. A seller that gives no deed spoils
nothing but that: the entry is on the chain too, in the block of the offer.
"""

from __future__ import annotations

from pathlib import Path

from ledger.chain.codes import RefusalError
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.transaction import parse_transaction
from ledger.durable_file import sync_folder
from ledger.errors import NotFoundError
from ledger.exchange.deed import Deed, MissingDeed
from ledger.exchange.deed_file import read_deed, write_deed
from ledger.exchange.purchase import Purchase
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.experience.private_folder import remove_folder
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_sharing_pb2 import OfferRecord, PostOffer
from ledger.storage.os_errors import storage_errors


def deliver(
    chain: ProvenChain,
    folder: Path,
    purchase: Purchase | SwapPurchase,
    found: Deed | MissingDeed | None,
    offer: OfferRecord,
) -> None:
    """Place a whole purchase's files in ``FOLDER/files``, and keep its deed beside them.

    ``found`` is what became of that. Done again from the start if it was cut off. Raises
    NotFoundError where the entry is nowhere, CorruptStoreError, StorageError.
    """
    deed = found if isinstance(found, Deed) else Deed(entry_on_chain(chain, offer))
    write_deed(folder, deed)
    target, beside = folder / "files", folder / "placing"
    if target.exists():
        return
    remove_folder(beside)
    purchase.place(beside, deed.files)
    with storage_errors(target):
        beside.rename(target)
        sync_folder(folder)


def kept_deed(folder: Path) -> Deed:
    """The deed of what was delivered; without openings where the seller gave none.

    Raises NotFoundError where nothing was delivered, CorruptStoreError, StorageError.
    """
    deed = read_deed(folder)
    if not isinstance(deed, Deed):
        raise NotFoundError(f"nothing was delivered to {folder}", hint="take the purchase up again")
    return deed


def entry_on_chain(chain: ProvenChain, offer: OfferRecord) -> bytes:
    """The entry that an offer is about, as it was posted, its leaf hash checked.

    Raises NotFoundError where the block has none such.
    """
    for encoded in chain.block(offer.height).transactions:
        try:
            message = parse_transaction(chain.chain, encoded).message
        except RefusalError:
            continue
        if isinstance(message, PostOffer) and leaf_hash(message.entry) == offer.leaf:
            return message.entry
    raise NotFoundError(
        "the block of the offer does not have its entry", hint="ask the seller for the deed again"
    )
