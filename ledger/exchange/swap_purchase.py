"""The buyer's folder of one atomic purchase: what it holds, and what it has promised.

::

    FOLDER/            mode 0700
      purchase         "quipu-swap-purchase/v1\\n" || grant (`Grant.encode`) || X25519 key (32)
                       || SHA256(all before); written once, mode 0600
      sale             the sale that the seller proposed, and how far it is (`ChosenSale`)
      leaves           n times (h_i (32) || SHA256(0x00 || z_i) (32)), once they lead to both roots
      masked           z_i, one after the other, each checked against its leaf
      opened/          the units that the key opened (`ledger.exchange.kept_units`)
      lock             one process at a time

Masked units are synced together after some (`ledger.storage.paced_sync`): a power cut takes 16
at most, and those are fetched again. On opening, the last 16 are hashed again; before the price
is locked, all of them. They stay until every unit is open, for a complaint shows one of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

from ledger.chain.sale.complaint import SoldContent
from ledger.chain.sale.identity import SALE_KEY_SIZE
from ledger.chain.sale.masking import unit_size
from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import (
    CorruptStoreError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.exchange.fairswap import LockableUnits
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.exchange.kept_units import KeptUnits
from ledger.exchange.session import X25519_SIZE, new_agreement_key
from ledger.exchange.swap_file import split_leaf_pairs
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.disclosure import SALT_SIZE
from ledger.experience.private_folder import make_private_folder
from ledger.merkle.hashing import leaf_hash
from ledger.storage.os_errors import storage_errors
from ledger.storage.paced_sync import SYNC_LIMIT, PacedSync
from ledger.storage.writer_lock import WriterLock

logger = logging.getLogger(__name__)

_MAGIC: Final = b"quipu-swap-purchase/v1\n"
_SALE_MAGIC: Final = b"quipu-chosen-sale/v1\n"
_SALE: Final = Struct(f">B32s32s32sQ{SALE_KEY_SIZE}sQQ")
_UNIT_SIZE: Final = SALT_SIZE + CHUNK_SIZE


class BuyingStage(IntEnum):
    """How far a purchase had come, as it was last written."""

    RECEIVING = 1
    """Nothing was promised."""
    LOCKING = 2
    """Everything is here; the transaction that locks the price may have left."""
    KEYED = 3
    """The key is here."""
    COMPLAINING = 4
    """A complaint may have left."""
    BOUGHT = 5
    RETURNED = 6
    """The price never left, or came back."""


@dataclass(frozen=True, slots=True)
class ChosenSale:
    """The sale that a purchase is through, as the chain had it.

    On disk::

        "quipu-chosen-sale/v1\\n" || u8 stage || sale id (32) || r_z (32) || key hash (32)
        || u64be lock height || k (32, zeros before it is here) || u64be complaint height
        || u64be sequence of the complaint || SHA256(all before)
    """

    stage: BuyingStage
    sale: bytes
    unit_root: bytes
    key_hash: bytes
    lock_height: int
    key: bytes = field(default=b"", repr=False)
    complaint_height: int = 0
    """0 where the sale had ended before the key was read."""
    sequence: int = 0
    """Of the one-time key's account, when it complained."""

    def sold(self, grant: Grant) -> SoldContent:
        """What is sold."""
        return SoldContent(
            self.sale, grant.content_root, grant.content_size, self.unit_root, self.key_hash
        )

    def encode(self) -> bytes:
        """Return the layout above."""
        content = _SALE_MAGIC + _SALE.pack(
            self.stage,
            self.sale,
            self.unit_root,
            self.key_hash,
            self.lock_height,
            self.key or bytes(SALE_KEY_SIZE),
            self.complaint_height,
            self.sequence,
        )
        return content + sha256(content).digest()

    @classmethod
    def decode(cls, encoded: bytes) -> ChosenSale:
        """Read what `encode` made. Raises MalformedError."""
        content = encoded[:-32]
        if (
            not content.startswith(_SALE_MAGIC)
            or len(content) != len(_SALE_MAGIC) + _SALE.size
            or sha256(content).digest() != encoded[-32:]
        ):
            raise MalformedError("its content is not what was written")
        stage, sale, root, hashed, last, key, until, sequence = _SALE.unpack(
            content[len(_SALE_MAGIC) :]
        )
        try:
            known = BuyingStage(stage)
        except ValueError:
            raise MalformedError(f"stage {stage} is none") from None
        return cls(known, sale, root, hashed, last, key if any(key) else b"", until, sequence)


def chosen_sale(folder: Path) -> ChosenSale | None:
    """The sale that the purchase in a folder is through, whoever has it open; None before it.

    Raises CorruptStoreError, StorageError.
    """
    path = folder / "sale"
    with storage_errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        return ChosenSale.decode(data)
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error


class SwapPurchase:
    """An atomic purchase that is open in this process; `create` or `open` it, `close` it."""

    def __init__(self, folder: Path, grant: Grant, agreement: bytes, lock: WriterLock) -> None:
        """Raises CorruptStoreError, StorageError; ``lock`` stays the caller's then."""
        self.folder: Final = folder
        self.grant: Final = grant
        self.agreement: Final = agreement
        """The buyer's X25519 key, a secret."""
        self._lock: Final = lock
        self._sale: ChosenSale | None = chosen_sale(folder)
        self._units: LockableUnits | None = None
        self._masked_leaves: tuple[bytes, ...] = ()
        self._read_leaves()
        make_private_folder(folder / "opened")
        self.opened: Final = KeptUnits(folder / "opened", grant.content_root, grant.content_size)
        """The units that the key opened."""
        self._masked = -1
        self._held = 0
        try:
            self._masked = self._open_masked()
            self._look_again()
        except BaseException:
            self.opened.close()
            if self._masked >= 0:
                os.close(self._masked)
            raise
        self._sync: PacedSync | None = PacedSync(folder, [self._masked])

    def __repr__(self) -> str:
        return f"SwapPurchase({self.folder}, {self.held} of {self.grant.count} units)"

    @classmethod
    def create(cls, folder: Path, grant: Grant) -> SwapPurchase:
        """Begin a purchase in a folder, durably.

        Raises RefusedError where one was begun, or for a grant that no sale can be made of;
        LockedError, StorageError.
        """
        if not grant.price or not grant.content_size:
            raise RefusedError("what is free or empty is not sold whole")
        make_private_folder(folder)
        lock = WriterLock(folder / "lock")
        try:
            path = folder / "purchase"
            if path.exists():
                raise RefusedError(f"a purchase was begun in {folder}", hint="take it up again")
            agreement = new_agreement_key()
            content = _MAGIC + grant.encode() + agreement
            with storage_errors(path):
                write_durably(path, content + sha256(content).digest(), mode=PRIVATE)
            return cls(folder, grant, agreement, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, folder: Path) -> SwapPurchase:
        """Take up a purchase where it was left.

        Raises NotFoundError, CorruptStoreError, LockedError, StorageError.
        """
        path = folder / "purchase"
        if not path.is_file():
            raise NotFoundError(f"no purchase was begun in {folder}")
        lock = WriterLock(folder / "lock")
        try:
            with storage_errors(path):
                data = path.read_bytes()
            content, rest = data[:-32], data[len(_MAGIC) : -32]
            if (
                not content.startswith(_MAGIC)
                or len(rest) != GRANT_SIZE + X25519_SIZE
                or sha256(content).digest() != data[-32:]
            ):
                raise CorruptStoreError(f"{path} is damaged: its content is not what was written")
            try:
                grant = Grant.decode(rest[:GRANT_SIZE])
            except MalformedError as error:
                raise CorruptStoreError(f"{path} is damaged: {error.message}") from error
            return cls(folder, grant, rest[GRANT_SIZE:], lock)
        except BaseException:
            lock.release()
            raise

    @property
    def sale(self) -> ChosenSale | None:
        """The sale that it is through, once the seller has proposed one."""
        return self._sale

    @property
    def units(self) -> LockableUnits | None:
        """All leaves, which lead to both roots; None before they are here."""
        return self._units

    @property
    def held(self) -> int:
        """Masked units that are here and were checked: 0 to ``held - 1``."""
        return self._held

    def choose(self, sale: ChosenSale) -> None:
        """Buy through this sale; what was received for another goes. Raises StorageError."""
        self._units, self._masked_leaves, self._held = None, (), 0
        with storage_errors(self.folder):
            (self.folder / "leaves").unlink(missing_ok=True)
            os.ftruncate(self._masked, 0)
        self.write(sale)

    def write(self, sale: ChosenSale) -> None:
        """Have it on disk how far the sale is. Raises StorageError."""
        path = self.folder / "sale"
        with storage_errors(path):
            write_durably(path, sale.encode(), mode=PRIVATE)
        self._sale = sale

    def keep_leaves(self, table: bytes) -> None:
        """Keep all leaves, durably, once they lead to the roots of the sale.

        Raises VerificationError, MalformedError, StorageError.
        """
        self._take_leaves(table)
        path = self.folder / "leaves"
        with storage_errors(path):
            write_durably(path, table, mode=PRIVATE)

    def is_masked_unit(self, index: int, masked: bytes) -> bool:
        """Whether bytes are z_i of this sale."""
        return (
            index < len(self._masked_leaves)
            and len(masked) == unit_size(index, self.grant.content_size)
            and leaf_hash(masked) == self._masked_leaves[index]
        )

    def keep_masked(self, masked: bytes) -> None:
        """Keep the next z_i, which was checked. Raises StorageError."""
        view, offset = memoryview(masked), self._held * _UNIT_SIZE
        with storage_errors(self.folder / "masked"):
            while view:
                written = os.pwrite(self._masked, view, offset)
                view, offset = view[written:], offset + written
        self._held += 1
        if self._sync is not None:
            self._sync.wrote()

    def masked_unit(self, index: int) -> bytes:
        """z_i as it is on disk. Raises StorageError."""
        with storage_errors(self.folder / "masked"):
            size = unit_size(index, self.grant.content_size)
            return os.pread(self._masked, size, index * _UNIT_SIZE)

    def check_masked(self) -> None:
        """Have every unit on disk, and read all of them again; drop from the first that is
        not as it came. Raises StorageError."""
        if self._sync is not None:
            self._sync.flush()
        self._check_from(0)

    def drop_from(self, index: int) -> None:
        """Fetch unit ``index`` and those after it again."""
        self._held = min(self._held, index)

    def discard_masked(self) -> None:
        """Let go of z_i, once every unit is open, or no complaint is possible. StorageError."""
        self._held = 0
        with storage_errors(self.folder):
            os.ftruncate(self._masked, 0)

    def place(self, target: Path, files: Sequence[tuple[str, int]]) -> tuple[Path, ...]:
        """See `KeptUnits.place`."""
        return self.opened.place(target, files)

    def close(self) -> None:
        """Have what was kept on disk, and let others in. Raises StorageError."""
        try:
            if self._sync is not None:
                self._sync.close()
            self.opened.close()
        finally:
            self._sync = None
            if self._masked >= 0:
                os.close(self._masked)
            self._masked = -1
            self._lock.release()

    def _read_leaves(self) -> None:
        path = self.folder / "leaves"
        with storage_errors(path):
            if self._sale is None or not path.exists():
                return
            table = path.read_bytes()
        try:
            self._take_leaves(table)
        except (MalformedError, VerificationError) as error:
            # Nothing that cannot be asked for again.
            self._units, self._masked_leaves = None, ()
            logger.warning("%s is not of this sale: %s", path, error.message)

    def _take_leaves(self, table: bytes) -> None:
        leaves, masked = split_leaf_pairs(table)
        if self._sale is None:
            raise RefusedError("there is no sale yet that leaves could be of")
        self._units = LockableUnits.of_leaves(self._sale.sold(self.grant), leaves, masked)
        self._masked_leaves = masked

    def _open_masked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with storage_errors(self.folder):
            descriptor = os.open(self.folder / "masked", flags, PRIVATE)
            sync_folder(self.folder)
        return descriptor

    def _look_again(self) -> None:
        """Count what is here, dropping from the first unit that is not what its leaf says."""
        with storage_errors(self.folder):
            size = os.fstat(self._masked).st_size
        whole, rest = divmod(size, _UNIT_SIZE)
        last = self.grant.count - 1
        if rest and whole == last and rest == unit_size(last, self.grant.content_size):
            whole += 1
        self._held = min(whole, len(self._masked_leaves))
        self._check_from(max(0, self._held - SYNC_LIMIT))

    def _check_from(self, first: int) -> None:
        for index in range(first, self._held):
            if not self.is_masked_unit(index, self.masked_unit(index)):
                self._held = index
                return
