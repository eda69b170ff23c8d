"""What a storefront notes of each sale for people, and to go on after a restart.

``SELLER/<grant id in hex>.note``, mode 0600, replaced whole::

    "quipu-sale-note/v1\\n" || u8 stage || grant (`Grant.encode`) || channel (32) || offer (32)
        || leaf (32) || u64be index || u64be units || u64be claimed || u64be earned
        || u16be length || origin || SHA256(all before)

    stage    1 open, 2 closing, 3 settled
    channel  zeros where units are free; offer, leaf and index, zeros where they are not known
    units    that were given, where no price says so
    claimed  what the chain knew of the seller's claims when it was last seen
    earned   what the chain paid out, once it is settled; before that the wallet says

It has no secret, and stays when the sale is forgotten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.market.selling_stock import Recording
from ledger.storage.os_errors import storage_errors

_MAGIC: Final = b"quipu-sale-note/v1\n"
_FIELDS: Final = Struct(f">B{GRANT_SIZE}s32s32s32sQQQQH")
_DIGEST_SIZE: Final = 32
_NAME: Final = re.compile(r"([0-9a-f]{64})\.note")


class SaleStage(IntEnum):
    """How far a sale is; numbers of the file."""

    OPEN = 1
    """Payments are taken."""
    CLOSING = 2
    """The chain is asked to pay, or the buyer has begun to close."""
    SETTLED = 3
    """The channel is no more: what was earned is in the account."""


@dataclass(frozen=True, slots=True)
class SaleNote:
    """A sale as its note says."""

    grant: Grant
    channel: bytes
    """Its id, or nothing where units are free."""
    recording: Recording | None
    """None: the chain could not be asked when the sale was taken up."""
    stage: SaleStage = SaleStage.OPEN
    units: int = 0
    claimed: int = 0
    earned: int = 0

    def settled(self, earned: int) -> SaleNote:
        """The same, paid out."""
        return replace(self, stage=SaleStage.SETTLED, earned=earned)

    def encode(self) -> bytes:
        """Return the content of the file."""
        about = self.recording or Recording(bytes(ID_SIZE), "", 0, bytes(ID_SIZE))
        origin = about.origin.encode()
        content = (
            _MAGIC
            + _FIELDS.pack(
                self.stage,
                self.grant.encode(),
                self.channel or bytes(ID_SIZE),
                about.offer,
                about.leaf,
                about.index,
                self.units,
                self.claimed,
                self.earned,
                len(origin),
            )
            + origin
        )
        return content + sha256(content).digest()

    @classmethod
    def decode(cls, data: bytes) -> SaleNote:
        """Read a file. Raises MalformedError."""
        content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
        end = len(_MAGIC) + _FIELDS.size
        if (
            not content.startswith(_MAGIC)
            or len(content) < end
            or sha256(content).digest() != digest
        ):
            raise MalformedError("its content is not what was written")
        stage, grant, channel, offer, leaf, index, units, claimed, earned, length = _FIELDS.unpack(
            content[len(_MAGIC) : end]
        )
        if len(content) != end + length:
            raise MalformedError("its origin is not as long as it says")
        try:
            origin = content[end:].decode()
            known = SaleStage(stage)
        except ValueError as error:
            raise MalformedError("it says nothing that can be") from error
        return cls(
            Grant.decode(grant),
            channel if any(channel) else b"",
            Recording(offer, origin, index, leaf) if any(offer) else None,
            known,
            units,
            claimed,
            earned,
        )


def note_path(folder: Path, grant: bytes) -> Path:
    """Where the note of a sale is kept."""
    return folder / f"{grant.hex()}.note"


def write_note(folder: Path, note: SaleNote) -> None:
    """Keep a note, on disk on return. Raises StorageError."""
    path = note_path(folder, note.grant.grant)
    with storage_errors(path):
        write_durably(path, note.encode(), mode=PRIVATE)


def read_note(folder: Path, grant: bytes) -> SaleNote | None:
    """The note of a sale, or None. Raises CorruptStoreError, StorageError."""
    path = note_path(folder, grant)
    with storage_errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        note = SaleNote.decode(data)
        if note.grant.grant != grant:
            raise MalformedError("it is of another grant")
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error
    return note


def noted_sales(folder: Path) -> tuple[bytes, ...]:
    """The grants of which there are notes, ascending. Raises StorageError."""
    with storage_errors(folder):
        names = sorted(path.name for path in folder.iterdir())
    return tuple(bytes.fromhex(found[1]) for name in names if (found := _NAME.fullmatch(name)))
