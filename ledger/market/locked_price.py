"""Whole purchases that cannot wait: their price is locked, or may be, or their end is not known.

A key that opens something else than was granted is complained of only in time, so somebody has
to go on with these even where nobody asks for the recording any more. Nothing here opens an
acquisition: whoever has it open is not disturbed.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from ledger.chain.body import Message
from ledger.chain.state_keys import sale_key
from ledger.errors import LedgerError
from ledger.exchange.swap_chain import is_in_time
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale, chosen_sale
from ledger.market.acquisition_states import Bought, Swapping
from ledger.market.shelf import Shelved
from ledger.market.wish import Mode
from ledger.schema.chain_exchange_pb2 import SaleRecord

_LOCKED: Final = (BuyingStage.LOCKING, BuyingStage.KEYED, BuyingStage.COMPLAINING)

M = TypeVar("M", bound=Message)


class Records(Protocol):
    """What is asked of a chain."""

    def read(self, record: type[M], key: bytes) -> M | None:
        """The record at a key, its proof checked; None if there is none."""
        ...


class Heights(Records, Protocol):
    """The same, and how high it is."""

    def height(self) -> int:
        """The height that is proven now."""
        ...


def locked_sale(shelved: Shelved) -> ChosenSale | None:
    """The sale that has an acquisition's price locked, or may have; None where nothing is.

    A file that is damaged says nothing: who goes on with the acquisition hears of that.
    """
    sale = _sale(shelved)
    return sale if sale is not None and sale.stage in _LOCKED else None


def cannot_wait(shelved: Shelved) -> bool:
    """Whether it is bought whole and has come to the money, and not to its end."""
    sale = _sale(shelved)
    if sale is not None:
        return sale.stage is not BuyingStage.RECEIVING
    return type(shelved.state) is Bought and shelved.wish.mode is Mode.WHOLE


def locked_until(chain: Records, sale: ChosenSale) -> int:
    """The last height that a locked sale, as far as it is, gives for what comes next.

    A complaint, the key, or the lock. 0 where the sale has ended. Raises as the chain does.
    """
    if sale.stage is not BuyingStage.LOCKING:
        return sale.complaint_height
    record = chain.read(SaleRecord, sale_key(sale.sale))
    if record is None:
        return 0
    return record.complaint_height or record.reveal_height or record.lock_height


def is_past_help(chain: Heights, shelved: Shelved) -> bool:
    """Whether a price is lost or was never locked, and all that is missing is its seller's.

    False as long as the chain gives something to whoever asks it. Raises as the chain does.
    """
    sale = locked_sale(shelved)
    if sale is None:
        return False
    # Before the record: what was too late then is too late for the record.
    height = chain.height()
    if sale.stage is not BuyingStage.LOCKING:
        return not is_in_time(height, sale.complaint_height)
    record = chain.read(SaleRecord, sale_key(sale.sale))
    if record is None or record.reveal_height:
        return False  # the key is in the blocks, or a refund is due to whoever asks
    return not is_in_time(height, record.lock_height)


def _sale(shelved: Shelved) -> ChosenSale | None:
    if not isinstance(shelved.state, Swapping):
        return None
    try:
        return chosen_sale(shelved.folder / "purchase")
    except LedgerError:
        return None
