"""The buyer's folder of one purchase: whose crash costs nothing that was checked.

::

    FOLDER/            mode 0700
      purchase         "quipu-purchase/v1\\n" || grant (`Grant.encode`) || channel (32)
                       || X25519 key (32) || SHA256(all before); written once, mode 0600
      units, content   what was checked (`ledger.exchange.kept_units`)
      deed             what became of the deed (`ledger.exchange.deed_file`)
      lock             one process at a time

A unit is written, and then the next one is paid. What a power cut takes of it is asked for
again, for nothing.

When all are there, the root over the leaves must be the content root once more, and `place`
gives the content its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.exchange.deed import Deed, MissingDeed
from ledger.exchange.deed_file import read_deed, write_deed
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.exchange.kept_units import KeptUnits
from ledger.exchange.session import X25519_SIZE, new_agreement_key
from ledger.experience.private_folder import make_private_folder
from ledger.storage.os_errors import storage_errors
from ledger.storage.writer_lock import WriterLock

_MAGIC: Final = b"quipu-purchase/v1\n"


class Purchase:
    """A purchase that is open in this process; `create` or `open` it, `close` it."""

    def __init__(
        self, folder: Path, grant: Grant, channel: bytes, agreement: bytes, lock: WriterLock
    ) -> None:
        """Raises CorruptStoreError, StorageError; ``lock`` stays the caller's then."""
        self.folder: Final = folder
        self.grant: Final = grant
        self.channel: Final = channel
        """That pays, 32 bytes; nothing where units are free."""
        self.agreement: Final = agreement
        """The buyer's X25519 key, a secret."""
        self._lock: Final = lock
        self._deed = read_deed(folder)
        self._units: Final = KeptUnits(folder, grant.content_root, grant.content_size)

    def __repr__(self) -> str:
        return f"Purchase({self.folder}, {self.kept} of {self.grant.count} units)"

    @classmethod
    def create(cls, folder: Path, grant: Grant, channel: bytes) -> Purchase:
        """Begin a purchase in a folder, durably.

        Raises RefusedError where one was begun, MalformedError, LockedError, StorageError.
        """
        if len(channel) != (ID_SIZE if grant.price else 0):
            raise MalformedError("a channel's id is 32 bytes, and none pays for what is free")
        make_private_folder(folder)
        lock = WriterLock(folder / "lock")
        try:
            path = folder / "purchase"
            if path.exists():
                raise RefusedError(f"a purchase was begun in {folder}", hint="take it up again")
            agreement = new_agreement_key()
            content = _MAGIC + grant.encode() + (channel or bytes(ID_SIZE)) + agreement
            with storage_errors(path):
                write_durably(path, content + sha256(content).digest(), mode=PRIVATE)
            return cls(folder, grant, channel, agreement, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, folder: Path) -> Purchase:
        """Take up a purchase where it was left.

        Raises NotFoundError, CorruptStoreError, LockedError, StorageError.
        """
        path = folder / "purchase"
        if not path.is_file():
            raise NotFoundError(f"no purchase was begun in {folder}")
        lock = WriterLock(folder / "lock")
        try:
            with storage_errors(path):
                grant, channel, agreement = _read(path, path.read_bytes())
            return cls(folder, grant, channel, agreement, lock)
        except BaseException:
            lock.release()
            raise

    @property
    def kept(self) -> int:
        """Units that are here and were checked: 0 to ``kept - 1``."""
        return self._units.kept

    def keep(self, leaf: bytes, unit: bytes | memoryview) -> None:
        """Keep the next unit, whose leaf was checked. Raises StorageError."""
        self._units.keep(leaf, unit)

    @property
    def is_whole(self) -> bool:
        """Whether every unit is here."""
        return self.kept == self.grant.count

    @property
    def deed(self) -> Deed | MissingDeed | None:
        """The deed, that it is missing and why, or None where nobody asked yet."""
        return self._deed

    def keep_deed(self, outcome: Deed | MissingDeed) -> None:
        """Keep the deed, which was checked, or that it is missing: on disk on return.

        A deed that is here stays. Raises StorageError.
        """
        if not isinstance(self._deed, Deed):
            write_deed(self.folder, outcome)
            self._deed = outcome

    def finish(self) -> None:
        """See `KeptUnits.finish`."""
        self._units.finish()

    def place(self, target: Path, files: Sequence[tuple[str, int]]) -> tuple[Path, ...]:
        """See `KeptUnits.place`."""
        return self._units.place(target, files)

    def close(self) -> None:
        """Have what was kept on disk, and let others in. Raises StorageError."""
        try:
            self._units.close()
        finally:
            self._lock.release()


def _read(path: Path, data: bytes) -> tuple[Grant, bytes, bytes]:
    content, digest = data[:-32], data[-32:]
    rest = content[len(_MAGIC) :]
    if (
        not content.startswith(_MAGIC)
        or len(rest) != GRANT_SIZE + ID_SIZE + X25519_SIZE
        or sha256(content).digest() != digest
    ):
        raise CorruptStoreError(f"{path} is damaged: its content is not what was written")
    try:
        grant = Grant.decode(rest[:GRANT_SIZE])
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error
    channel = rest[GRANT_SIZE : GRANT_SIZE + ID_SIZE]
    return grant, channel if any(channel) else b"", rest[GRANT_SIZE + ID_SIZE :]
