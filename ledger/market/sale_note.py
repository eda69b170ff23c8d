"""What a storefront notes of each sale for people, and to go on after a restart.

``SELLER/<grant id in hex>.note``, mode 0600, replaced whole::

    "quipu-sale-note/v2\\n" || u8 stage || grant (`Grant.encode`) || channel (32) || offer (32)
        || leaf (32) || u64be index || u64be units || u64be claimed || u64be paid || u64be earned
        || u64be lost || u16be length || u8 count || origin
        || count times (account (32) || u16be parts) || SHA256(all before)

    stage    1 open, 2 closing, 3 settled, 4 complained, 5 refunded, 6 unsold
    channel  zeros where there is none; offer, leaf and index, zeros where they are not known
    units    that were given, where no price says so
    claimed  what the chain knew of the seller's claims when it was last seen
    paid     what the buyer paid, once it is settled; before that the wallet says
    earned   what the seller has of it, after royalties to others
    lost     what the seller lost of its deposit
    parts    of 10,000 that are an account's of what a channel pays

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
from ledger.chain.rules.royalties import shares_of
from ledger.chain.sale_end import Ending, SaleEnd
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.market.selling_stock import Recording
from ledger.schema.chain_sharing_pb2 import Royalty
from ledger.storage.os_errors import storage_errors

_MAGIC: Final = b"quipu-sale-note/v2\n"
_FIELDS: Final = Struct(f">B{GRANT_SIZE}s32s32s32sQQQQQQHB")
_ROYALTY: Final = Struct(">32sH")
_DIGEST_SIZE: Final = 32
_NAME: Final = re.compile(r"([0-9a-f]{64})\.note")


class SaleStage(IntEnum):
    """How far a sale is; numbers of the file."""

    OPEN = 1
    """Payments are taken."""
    CLOSING = 2
    """The chain is asked to pay, or the buyer has begun to close."""
    SETTLED = 3
    """Channel or sale are no more: what was earned is in the account."""
    COMPLAINED = 4
    """A unit was wrong: the price went back, and the deposit with it."""
    REFUNDED = 5
    """The key did not come in time: the same."""
    UNSOLD = 6
    """Nobody locked the price."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be earned."""
        return self >= SaleStage.SETTLED


@dataclass(frozen=True, slots=True)
class SaleNote:
    """A sale as its note says."""

    grant: Grant
    channel: bytes
    """Its id, or nothing where units are free, or all are sold whole."""
    recording: Recording | None
    """None: the chain could not be asked when the sale was taken up."""
    stage: SaleStage = SaleStage.OPEN
    units: int = 0
    claimed: int = 0
    paid: int = 0
    earned: int = 0
    lost: int = 0
    royalties: tuple[tuple[bytes, int], ...] = ()
    """(account, parts of 10,000) of what the channel pays."""

    def earned_of(self, paid: int) -> int:
        """What the seller has of an amount that a channel pays."""
        named = [Royalty(account=account, parts=parts) for account, parts in self.royalties]
        shares, _ = shares_of(paid, named)
        return paid - sum(share for account, share in shares if account != self.grant.seller)

    def settled(self, paid: int) -> SaleNote:
        """The same, its channel paid out."""
        return replace(self, stage=SaleStage.SETTLED, paid=paid, earned=self.earned_of(paid))

    def ended(self, end: SaleEnd) -> SaleNote:
        """The same of an atomic sale that has ended so."""
        grant, lost = self.grant, end.lost(self.grant.price)
        if end.ending is Ending.REFUNDED:
            return replace(self, stage=SaleStage.REFUNDED if lost else SaleStage.UNSOLD, lost=lost)
        # The key was shown: every unit was given, and one was perhaps not what it should be.
        was_paid = end.ending is Ending.SETTLED
        return replace(
            self,
            stage=SaleStage.SETTLED if was_paid else SaleStage.COMPLAINED,
            units=grant.count,
            paid=end.paid,
            earned=end.earned_by(grant.seller),
            lost=lost,
        )

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
                self.paid,
                self.earned,
                self.lost,
                len(origin),
                len(self.royalties),
            )
            + origin
            + b"".join(_ROYALTY.pack(*each) for each in self.royalties)
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
        stage, grant, channel, offer, leaf, index, *numbers = _FIELDS.unpack(
            content[len(_MAGIC) : end]
        )
        units, claimed, paid, earned, lost, length, count = numbers
        if len(content) != end + length + count * _ROYALTY.size:
            raise MalformedError("it is not as long as it says")
        try:
            origin = content[end : end + length].decode()
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
            paid,
            earned,
            lost,
            tuple(_ROYALTY.iter_unpack(content[end + length :])),
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
