"""The errors that leave this package.

Every public function of ``ledger`` raises members of one family, `LedgerError`.
The message says what is wrong in one line; ``hint``, where there is one, says
what to do about it. Errors of the libraries underneath never pass a boundary.
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of every error raised by ``ledger``.

    ``message`` is one line that says what is wrong, ``hint`` one that says what
    to do. Neither ever holds a secret.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class MalformedError(LedgerError):
    """Bytes that do not follow their format: nothing can be said about their claim."""


class VerificationError(LedgerError):
    """Well-formed bytes whose claim is false: wrong hash, wrong signature, wrong root."""


class ConflictError(LedgerError):
    """A checkpoint was offered against a tree size that is not the recorded one.

    ``size`` is the recorded tree size, in leaves (tlog-witness answers 409 with it).
    """

    def __init__(self, message: str, *, size: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.size = size


class EntryTooLargeError(LedgerError):
    """An entry of 65,536 bytes or more; the entry bundle's uint16 prefix cannot hold it."""


class NotFoundError(LedgerError):
    """What was asked for by index, id or name is not in the log."""


class RefusedError(LedgerError):
    """The request is understood and refused, because carrying it out would lose something."""


class BehindError(LedgerError):
    """The log is shorter than a checkpoint it has already published; signing would fork it."""


class ForkError(LedgerError):
    """The log and a checkpoint it has published disagree about the same leaves."""


class RecordingError(LedgerError):
    """A recording cannot be read: truncated, changing, in use, or not what it says it is."""


class KeyStoreError(LedgerError):
    """A key file is missing, damaged, readable by others, or does not fit its log."""


class ErasedError(LedgerError):
    """The content was erased or pruned; hashes and proofs remain, bytes do not."""


class StorageError(LedgerError):
    """The store cannot be read or written."""


class StorageFullError(StorageError):
    """No space is left; nothing of the last write was kept."""


class ReadOnlyError(StorageError):
    """The directory or file system does not allow writing."""


class LockedError(StorageError):
    """Another process is the writer."""


class FormatVersionError(StorageError):
    """The store was written by another version of this package."""


class CorruptStoreError(StorageError):
    """The store contradicts itself, or is no store of this package."""
