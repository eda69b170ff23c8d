"""What an end of a channel must never forget: one file of fixed size, replaced whole.

``WALLET/channels/<channel id in hex>.payer``::

    "quipu-payer/v1\\n" || terms || u8 stage || u64be paid || seed (32) || SHA256(all before)

    stage  1 opening, 2 open, 3 closing
    paid   what was signed or revealed at most: written before the claim leaves
    seed   w_n, 32 random bytes, of which every link follows; zero for vouchers

``WALLET/channels/<channel id in hex>.payee``::

    "quipu-payee/v1\\n" || terms || u8 stage || u64be earned || claim (64) || SHA256(all before)

    stage   2 open, 3 closing
    earned  what the claim shows
    claim   a voucher's signature, or w_i (i = earned / unit) and 32 zeros; zero while
            nothing is earned

Terms are in `ledger.wallet.terms`. Files are of mode 0600: a seed, like a key, is money. The
lock beside each, ``.lock``, keeps a second process from paying twice out of one balance.
Payments in a stream go into the journal beside the file (`ledger.wallet.channel_journal`).

A wallet that comes back from an old backup has forgotten what it did since. A payer then
pays less than the payee has, and is refused, no worse; a payee has lost its newest claims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum, auto
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final, Generic, Protocol, TypeVar

from ledger.chain.channel.payword import LINK_SIZE
from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.ed25519 import SIGNATURE_SIZE
from ledger.errors import (
    CorruptStoreError,
    LockedError,
    MalformedError,
    NotFoundError,
    RefusedError,
)
from ledger.storage.os_errors import storage_errors
from ledger.storage.writer_lock import WriterLock
from ledger.wallet.channel_journal import ChannelJournal
from ledger.wallet.terms import TERMS_SIZE, ChannelTerms

PAYER_SUFFIX: Final = ".payer"
PAYEE_SUFFIX: Final = ".payee"

_PAYER_MAGIC: Final = b"quipu-payer/v1\n"
_PAYEE_MAGIC: Final = b"quipu-payee/v1\n"
_PAYER_TAIL: Final = Struct(">BQ32s")
_PAYEE_TAIL: Final = Struct(">BQ64s")
_DIGEST_SIZE: Final = 32
_PAID: Final = Struct(">Q")
_EARNED: Final = Struct(">Q64s")


class Durability(Enum):
    """How safe a payment is before its claim leaves, or is answered."""

    SYNCED = auto()
    """On disk: nothing loses it."""
    WRITTEN = auto()
    """In the journal: a power cut may lose it with 15 others, nothing else does."""


class Stage(IntEnum):
    """How far a channel is."""

    OPENING = 1
    OPEN = 2
    CLOSING = 3


@dataclass(frozen=True, slots=True)
class PayerRow:
    """What the payer keeps."""

    terms: ChannelTerms
    stage: Stage
    paid: int
    seed: bytes = field(repr=False)
    """32 bytes for PayWord, none for vouchers."""

    def encode(self) -> bytes:
        """Return the content of the file."""
        tail = _PAYER_TAIL.pack(self.stage, self.paid, self.seed or bytes(LINK_SIZE))
        return _seal(_PAYER_MAGIC, self.terms, tail)

    @property
    def progress(self) -> bytes:
        """What a payment changes, for the journal."""
        return _PAID.pack(self.paid)

    def advanced(self, progress: bytes) -> PayerRow:
        """The row after the journal's. Raises MalformedError."""
        (paid,) = _PAID.unpack(progress)
        if not self.paid <= paid <= self.terms.deposit:
            raise MalformedError("its journal contradicts it")
        return replace(self, paid=paid)

    @classmethod
    def decode(cls, data: bytes) -> PayerRow:
        """Read a file. Raises MalformedError."""
        terms, tail = _unseal(_PAYER_MAGIC, _PAYER_TAIL.size, data)
        stage, paid, seed = _PAYER_TAIL.unpack(tail)
        if paid > terms.deposit or not Stage.OPENING <= stage <= Stage.CLOSING:
            raise MalformedError("it contradicts itself")
        return cls(terms, Stage(stage), paid, seed if terms.payword else b"")


@dataclass(frozen=True, slots=True)
class PayeeRow:
    """What the payee keeps."""

    terms: ChannelTerms
    stage: Stage
    earned: int
    proof: bytes = field(repr=False)
    """A voucher's signature of 64 bytes, or w_i of 32; none while nothing is earned."""

    def encode(self) -> bytes:
        """Return the content of the file."""
        tail = _PAYEE_TAIL.pack(self.stage, self.earned, self.proof)
        return _seal(_PAYEE_MAGIC, self.terms, tail)

    @property
    def progress(self) -> bytes:
        """What a payment changes, for the journal."""
        return _EARNED.pack(self.earned, self.proof)

    def advanced(self, progress: bytes) -> PayeeRow:
        """The row after the journal's. Raises MalformedError."""
        earned, proof = _EARNED.unpack(progress)
        if not self.earned < earned <= self.terms.deposit:
            raise MalformedError("its journal contradicts it")
        return replace(self, earned=earned, proof=proof[: _proof_size(self.terms, earned)])

    @classmethod
    def decode(cls, data: bytes) -> PayeeRow:
        """Read a file. Raises MalformedError."""
        terms, tail = _unseal(_PAYEE_MAGIC, _PAYEE_TAIL.size, data)
        stage, earned, proof = _PAYEE_TAIL.unpack(tail)
        if earned > terms.deposit or not Stage.OPEN <= stage <= Stage.CLOSING:
            raise MalformedError("it contradicts itself")
        return cls(terms, Stage(stage), earned, proof[: _proof_size(terms, earned)])


class Row(Protocol):
    """What a file holds."""

    @property
    def terms(self) -> ChannelTerms:
        """Of the channel."""
        ...

    @property
    def progress(self) -> bytes:
        """What a payment changes."""
        ...

    def encode(self) -> bytes:
        """Return the content of the file."""
        ...


R = TypeVar("R", bound=Row)


class ChannelFile(Generic[R]):
    """The file of one end of one channel, held by one object at a time.

    `create` or `open` it, `write` or `note` rows, `release` or `remove` it.
    """

    def __init__(self, path: Path, row: R, lock: WriterLock) -> None:
        self.path: Final = path
        self.row = row
        self._lock: Final = lock
        self._journal = ChannelJournal(path, len(row.progress))

    @classmethod
    def create(cls, path: Path, row: R) -> ChannelFile[R]:
        """Make the file, durably. Raises RefusedError where one is, LockedError, StorageError."""
        lock = _lock(path)
        try:
            if path.exists():
                raise RefusedError(
                    f"the wallet has channel {path.stem[:16]}... already",
                    hint="its opening may be under way: look for it on the chain first",
                )
            file = cls(path, row, lock)
            file.write(row)
        except BaseException:
            lock.release()
            raise
        return file

    @classmethod
    def open(
        cls, path: Path, decode: Callable[[bytes], R], advanced: Callable[[R, bytes], R]
    ) -> ChannelFile[R]:
        """Read the file and its journal.

        Raises NotFoundError, LockedError, CorruptStoreError, StorageError.
        """
        if not path.exists():
            raise NotFoundError(f"the wallet has no channel {path.name}")
        lock = _lock(path)
        try:
            row, journal = read_row(path, decode, advanced)
            file = cls(path, row, lock)
            file._journal = journal
            return file
        except BaseException:
            lock.release()
            raise

    def write(self, row: R) -> None:
        """Replace what is kept: on disk when this returns. Raises StorageError."""
        encoded = row.encode()
        with storage_errors(self.path):
            write_durably(self.path, encoded, mode=PRIVATE)
        self._journal.begin(encoded[-_DIGEST_SIZE:])
        self.row = row

    def note(self, row: R, durability: Durability) -> None:
        """Keep a row that differs by a payment alone. Raises StorageError."""
        if durability is Durability.SYNCED:
            self.write(row)
        else:
            self._journal.append(row.progress)
            self.row = row

    def flush(self) -> None:
        """Have on disk what `note` only wrote. Raises StorageError."""
        self._journal.flush()

    def remove(self) -> None:
        """Forget the channel. Raises StorageError."""
        self._journal.remove()
        with storage_errors(self.path):
            self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        self._lock.release()

    def release(self) -> None:
        """Let others use the channel; a second call does nothing. Raises StorageError."""
        try:
            self._journal.close()
        finally:
            self._lock.release()


def read_row(
    path: Path, decode: Callable[[bytes], R], advanced: Callable[[R, bytes], R]
) -> tuple[R, ChannelJournal]:
    """What a file and its journal say, and the journal, at its end.

    Raises NotFoundError, CorruptStoreError, StorageError.
    """
    if not path.exists():
        raise NotFoundError(f"the wallet has no channel {path.name}")
    with storage_errors(path):
        data = path.read_bytes()
    try:
        row = decode(data)
        if path.stem != row.terms.channel.hex():
            raise CorruptStoreError(f"{path} is the file of another channel")
        journal = ChannelJournal(path, len(row.progress))
        progress = journal.read(data[-_DIGEST_SIZE:])
        return row if progress is None else advanced(row, progress), journal
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error


def _lock(path: Path) -> WriterLock:
    try:
        return WriterLock(path.with_name(path.name + ".lock"))
    except LockedError as error:
        holder = error.message.partition(" is writing")[0]
        raise LockedError(
            f"{holder} has channel {path.stem[:16]}... open", hint="one at a time can use it"
        ) from None


def _proof_size(terms: ChannelTerms, earned: int) -> int:
    return (LINK_SIZE if terms.payword else SIGNATURE_SIZE) if earned else 0


def _seal(magic: bytes, terms: ChannelTerms, tail: bytes) -> bytes:
    content = magic + terms.encode() + tail
    return content + sha256(content).digest()


def _unseal(magic: bytes, tail_size: int, data: bytes) -> tuple[ChannelTerms, bytes]:
    if len(data) != len(magic) + TERMS_SIZE + tail_size + _DIGEST_SIZE:
        raise MalformedError(f"it has {len(data)} bytes")
    content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if not content.startswith(magic) or sha256(content).digest() != digest:
        raise MalformedError("its content is not what was written")
    end = len(magic) + TERMS_SIZE
    return ChannelTerms.decode(content[len(magic) : end]), content[end:]
