"""The buying end of an atomic sale where its money is: locked, refunded, or paid for the key.

::

    (swap_buyer) -> LockableSwap --lock--> AwaitingKey --the key--> OpeningUnits --all-> BoughtSwap
                                               |                        |
                                          no key in time           a wrong unit: complain
                                               v                        v
                                        RefundableSwap --refund--> ReturnedSwap

What is promised is written before it leaves: the price is locked only when every unit is on
disk and was read again, and all of it comes back, with the seller's deposit, unless the key
opened every one. A cheat may spoil the last unit alone, and have blocks made: so all are looked
through for one that is wrong before any is written. Each transaction may be asked for again; it
acts once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.sale_end import Ending, SaleEnd
from ledger.errors import CorruptStoreError, RefusedError, VerificationError
from ledger.exchange.fairswap import Complaint, RevealedUnits, WrongUnitError
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import is_in_time
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale, SwapPurchase
from ledger.schema.chain_exchange_pb2 import RefundSale
from ledger.schema.chain_pb2 import TransactionBody

MOST_LOST: Final = 3
"""Times that what the disk lost is fetched again."""
_PATIENCE: Final = 100
"""Blocks for which a refund may wait."""
_CARRIED_OUT_OR_RACED: Final = (
    ResultCode.OK,
    ResultCode.SEQUENCE_PAST,
    ResultCode.EXPIRED,
    ResultCode.SALE_TIME_OVER,
    ResultCode.SALE_STATE,
    ResultCode.UNKNOWN_SALE,
)
"""After these the chain is looked at again."""


class LateComplaintError(VerificationError):
    """A unit is not what was granted, and the chain takes no complaint any more."""


class EndNotShownError(RefusedError):
    """The chain has a sale no more, and does not show what it has to: everything stays here."""


@dataclass(frozen=True, slots=True)
class LockableSwap:
    """Every unit is here: the price may be locked."""

    _end: BuyingEnd
    _sale: ChosenSale

    def lock(self) -> None:
        """Read every unit again, and lock the price.

        Where a unit is not as it came, it is to be fetched again instead. Raises
        CorruptStoreError where that happens again and again, RefusedError where the chain
        does not take the price, StorageError, and what the chain raises.
        """
        end, purchase = self._end, self._end.purchase
        purchase.check_masked()
        if purchase.held < purchase.grant.count or purchase.units is None:
            _lose(end)
            return
        if self._sale.stage is not BuyingStage.LOCKING:
            purchase.write(replace(self._sale, stage=BuyingStage.LOCKING))
        body = end.body(self._sale.lock_height)
        body.lock_sale.CopyFrom(purchase.units.lock())
        _require_taken(
            end.submit(body),
            "lock the price",
            "nothing was paid; see that the one-time key has the price, and fees",
        )


@dataclass(frozen=True, slots=True)
class AwaitingKey:
    """The price is locked, and the seller has until ``reveal_height``: wait for a block."""

    reveal_height: int
    height: int
    """Of the chain, when there was no key."""


@dataclass(frozen=True, slots=True)
class RefundableSwap:
    """No key came in time."""

    _end: BuyingEnd
    _sale: ChosenSale

    def refund(self) -> None:
        """Have price and deposit. Raises RefusedError, and what the chain raises."""
        end = self._end
        body = end.body(end.chain.height() + _PATIENCE)
        body.refund_sale.CopyFrom(RefundSale(sale=self._sale.sale))
        _require_taken(
            end.submit(body),
            "refund the sale",
            "anybody may ask for it, for a fee; all of it goes to the one-time key",
        )


@dataclass(frozen=True, slots=True)
class OpeningUnits:
    """The key is here: units open, or are complained of."""

    _end: BuyingEnd
    _sale: ChosenSale

    def open(self, told: Callable[[int], None] = lambda opened: None) -> None:
        """Complain at once of the first unit that is wrong; open and keep all where none is.

        Each is opened twice, and hashed once each time: first only to be looked at. That is
        no more work than to hash it under its mask too, which only one that is wrong needs
        (a GiB: some 1.5 s), and the second reading is mostly from memory. Killed meanwhile,
        it looks again at what is not kept yet.

        ``told`` hears how many are kept. A unit that the disk lost is to be fetched again,
        unless another can be complained of. Where somebody else has complained already, all
        came back, and that is the end of it. Raises LateComplaintError for one that is wrong
        too late, those before it being kept; `EndNotShownError` where the chain does not say
        whether it is; CorruptStoreError where the disk loses units again and again,
        RefusedError where the chain does not take the complaint, StorageError, and what the
        chain raises.
        """
        purchase, units = self._end.purchase, self._end.purchase.units
        if units is None:
            return
        revealed = units.revealed(self._sale.key)
        found = self._look_through(revealed)
        if isinstance(found, Complaint):
            self._complain(found, revealed, told)
            return
        lost = self._keep(revealed, purchase.grant.count, told) if found is None else found
        if lost is not None:
            purchase.drop_from(lost)
            _lose(self._end)
            return
        purchase.opened.finish()
        end_purchase(purchase, self._sale, BuyingStage.BOUGHT)

    def _look_through(self, revealed: RevealedUnits) -> Complaint | int | None:
        """What shows the first wrong unit; else the index of the first that the disk lost.

        Nothing is written. Those that are kept were looked at.
        """
        purchase, lost = self._end.purchase, None
        for index in range(purchase.opened.kept, purchase.grant.count):
            try:
                revealed.open(index, purchase.masked_unit(index))
            except WrongUnitError as wrong:
                return wrong.complaint
            except VerificationError:
                # A seller that cheats would not give it again: another may be wrong yet.
                lost = index if lost is None else lost
        return lost

    def _keep(self, revealed: RevealedUnits, count: int, told: Callable[[int], None]) -> int | None:
        """Keep the first ``count`` units, none of which is wrong; the index of one that is lost."""
        purchase, opened = self._end.purchase, self._end.purchase.opened
        while opened.kept < count:
            index = opened.kept
            try:
                unit = revealed.open(index, purchase.masked_unit(index))
            except VerificationError:
                return index
            opened.keep(revealed.leaf(index), unit)
            told(opened.kept)
        return None

    def _complain(
        self, complaint: Complaint, revealed: RevealedUnits, told: Callable[[int], None]
    ) -> None:
        end, sale, index = self._end, self._sale, complaint.message.index
        account = end.wallet.account
        if sale.stage is not BuyingStage.COMPLAINING:
            sequence = end.chain.sequence(account)
            sale = replace(sale, stage=BuyingStage.COMPLAINING, sequence=sequence)
            end.purchase.write(sale)
        body = TransactionBody(
            sequence=sale.sequence,
            expiry_height=sale.complaint_height,
            fee=end.terms.fee,
            complain_sale=complaint.message,
        )
        code = end.submit(body, complaint.attachment)
        # Nothing else of this account is carried out meanwhile: its sequence tells.
        if code is ResultCode.OK or end.chain.sequence(account) > sale.sequence:
            end_purchase(end.purchase, sale, BuyingStage.RETURNED)
            return
        # Before the record: what was too late then is too late for the record.
        height = end.chain.height()
        record = end.chain.sale(sale.sale)
        if record is not None and is_in_time(height, record.complaint_height):
            raise RefusedError(
                f"the chain does not take the complaint about unit {index}: {code.name}",
                hint=f"try again until block {record.complaint_height}; see that the key has fees",
            )
        # Whoever has the unit may complain of it, and all goes to the buyer.
        said = f"unit {index} is not what was granted; "
        if record is None and is_returned(shown_end(end, sale, said)):
            end_purchase(end.purchase, sale, BuyingStage.RETURNED)
            return
        # They are paid for.
        self._keep(revealed, index, told)
        raise LateComplaintError(
            f"unit {index} is not what was granted, and the time for complaints is over",
            hint="the price is lost; the units before it are in the purchase's folder",
        )


@dataclass(frozen=True, slots=True)
class BoughtSwap:
    """All of it is here, checked and on disk; `SwapPurchase.place` gives it its files."""

    purchase: SwapPurchase


@dataclass(frozen=True, slots=True)
class ReturnedSwap:
    """Nothing was bought. The price never left, or came back with the seller's deposit."""

    purchase: SwapPurchase
    end: SaleEnd | None = None
    """How the sale ended, if that was just looked for."""


def shown_end(end: BuyingEnd, sale: ChosenSale, said: str = "") -> SaleEnd:
    """How a sale ended that the chain has no more.

    Raises `EndNotShownError`, which says ``said`` first, where the engine does not show that,
    or has the blocks no more; and what the chain raises.
    """
    found = end.chain.ended(sale.sale, end.granted)
    if found is None:
        raise EndNotShownError(
            f"{said}the chain has the sale no more, and does not say how it ended",
            hint="take the purchase up again; what is here stays",
        )
    return found


def is_returned(ended: SaleEnd) -> bool:
    """Whether all that was locked went to the buyer, if anything was."""
    return ended.ending is not Ending.SETTLED


def end_purchase(purchase: SwapPurchase, sale: ChosenSale, stage: BuyingStage) -> None:
    """Write down how it ended, and let go of what no complaint needs any more. StorageError."""
    purchase.write(replace(sale, stage=stage))
    purchase.discard_masked()


def _lose(end: BuyingEnd) -> None:
    end.lost += 1
    if end.lost > MOST_LOST:
        raise CorruptStoreError(
            f"{end.purchase.folder / 'masked'} does not keep what is written to it",
            hint="move the folder to a sound disk, and take the purchase up there",
        )


def _require_taken(code: ResultCode, verb: str, hint: str) -> None:
    if code not in _CARRIED_OUT_OR_RACED:
        raise RefusedError(f"the chain does not {verb}: {code.name}", hint=hint)
