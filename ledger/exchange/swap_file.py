"""What a seller must never forget of an atomic sale: one file a grant.

``SALES/<grant id in hex>.swap``, mode 0600::

    "quipu-swap/v2\\n" || u8 stage || grant (`Grant.encode`) || k (32) || X25519 key (32)
    || u64be sequence || u64be height || r_z (32) || u64be lock height || u32be reveal blocks
    || u32be complaint blocks || n times (h_i (32) || SHA256(0x00 || z_i) (32))
    || SHA256(all before)

    stage   1 prepared, 2 proposed, 3 ended, 4 sold
    height  of the chain when it was prepared: all that became of it is in later blocks

It is on disk before the proposal leaves: a deposit is never set aside for a key that is lost.
k belongs to this sequence of the seller's account, and so to one sale id. When a proposal
cannot come any more, the file goes, and k with it; the next one draws another.

A sale that has ended leaves its grant alone, k, the X25519 key and all leaves gone, until the
grant is over: under one grant a seller proposes no second time. One that was paid has another
X25519 key from then on, in whose sessions its deed is given. What was said in the sessions
before cannot be read any more, whoever gets hold of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

from ledger.chain.sale.complaint import SoldContent
from ledger.chain.sale.identity import SALE_KEY_SIZE, key_hash, sale_id
from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.exchange.session import X25519_SIZE, new_agreement_key
from ledger.merkle.hashing import HASH_SIZE
from ledger.schema.chain_exchange_pb2 import ProposeSale
from ledger.storage.os_errors import storage_errors

_MAGIC: Final = b"quipu-swap/v2\n"
_ROW: Final = Struct(f">B{GRANT_SIZE}s{SALE_KEY_SIZE}s{X25519_SIZE}sQQ{HASH_SIZE}sQII")
_SUFFIX: Final = ".swap"


class SwapStage(IntEnum):
    """How far a sale had come when its seller last looked."""

    PREPARED = 1
    """Its proposal may have left."""
    PROPOSED = 2
    """The chain had it."""
    ENDED = 3
    """Nothing was paid."""
    SOLD = 4
    """It ended, and the price was paid."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will become of it any more."""
        return self in (SwapStage.ENDED, SwapStage.SOLD)


@dataclass(frozen=True, slots=True)
class SwapRow:
    """An atomic sale that its seller has begun."""

    stage: SwapStage
    grant: Grant
    key: bytes = field(repr=False)
    """k."""
    agreement: bytes = field(repr=False)
    """The seller's X25519 key, for this sale alone; another one once it is sold."""
    sequence: int
    """Of the transaction that proposes it."""
    height: int
    """Of the chain when it was prepared."""
    unit_root: bytes
    lock_height: int
    reveal_blocks: int
    complaint_blocks: int
    leaves: tuple[bytes, ...] = field(repr=False)
    """All h_i."""
    masked_leaves: tuple[bytes, ...] = field(repr=False)
    """All SHA256(0x00 || z_i)."""

    @property
    def sale(self) -> bytes:
        """Its id."""
        return sale_id(self.grant.chain, self.grant.grant, self.sequence)

    @property
    def sold(self) -> SoldContent:
        """What is sold."""
        grant = self.grant
        return SoldContent(
            self.sale, grant.content_root, grant.content_size, self.unit_root, key_hash(self.key)
        )

    def proposal(self) -> ProposeSale:
        """What the proposing transaction asks for."""
        return ProposeSale(
            grant=self.grant.grant,
            unit_root=self.unit_root,
            key_hash=key_hash(self.key),
            lock_height=self.lock_height,
            reveal_blocks=self.reveal_blocks,
            complaint_blocks=self.complaint_blocks,
        )

    def ended(self, is_sold: bool) -> SwapRow:
        """What is left of it once it has ended: no secret of it, and one to give its deed by."""
        return replace(
            self,
            stage=SwapStage.SOLD if is_sold else SwapStage.ENDED,
            key=bytes(SALE_KEY_SIZE),
            agreement=new_agreement_key() if is_sold else bytes(X25519_SIZE),
            leaves=(),
            masked_leaves=(),
        )

    def encode(self) -> bytes:
        """Return the layout above."""
        head = _ROW.pack(
            self.stage,
            self.grant.encode(),
            self.key,
            self.agreement,
            self.sequence,
            self.height,
            self.unit_root,
            self.lock_height,
            self.reveal_blocks,
            self.complaint_blocks,
        )
        content = _MAGIC + head + join_leaf_pairs(self.leaves, self.masked_leaves)
        return content + sha256(content).digest()

    @classmethod
    def decode(cls, encoded: bytes) -> SwapRow:
        """Read what `encode` made. Raises MalformedError."""
        content, digest = encoded[:-32], encoded[-32:]
        head = content[len(_MAGIC) : len(_MAGIC) + _ROW.size]
        if (
            not content.startswith(_MAGIC)
            or len(head) != _ROW.size
            or sha256(content).digest() != digest
        ):
            raise MalformedError("its content is not what was written")
        stage, grant, key, agreement, *numbers = _ROW.unpack(head)
        sequence, height, root, lock_height, reveal_blocks, complaint_blocks = numbers
        found = Grant.decode(grant)
        leaves, masked = split_leaf_pairs(content[len(_MAGIC) + _ROW.size :])
        try:
            known = SwapStage(stage)
        except ValueError:
            raise MalformedError(f"stage {stage} is none") from None
        if len(leaves) != (0 if known.is_over else found.count):
            raise MalformedError(f"{len(leaves)} leaves of {found.count} units")
        return cls(
            known,
            found,
            key,
            agreement,
            sequence,
            height,
            root,
            lock_height,
            reveal_blocks,
            complaint_blocks,
            leaves,
            masked,
        )


def join_leaf_pairs(leaves: Sequence[bytes], masked: Sequence[bytes]) -> bytes:
    """h_i || SHA256(0x00 || z_i) of each unit, one after the other."""
    return b"".join(leaf + unit for leaf, unit in zip(leaves, masked, strict=True))


def split_leaf_pairs(table: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """All h_i and all SHA256(0x00 || z_i). Raises MalformedError for a rest."""
    if len(table) % (2 * HASH_SIZE):
        raise MalformedError(f"{len(table)} bytes are no pairs of leaves")
    hashes = tuple(table[at : at + HASH_SIZE] for at in range(0, len(table), HASH_SIZE))
    return hashes[::2], hashes[1::2]


def write_swap(folder: Path, row: SwapRow) -> None:
    """Keep a sale, on disk on return. Raises StorageError."""
    path = _path(folder, row.grant.grant)
    with storage_errors(path):
        write_durably(path, row.encode(), mode=PRIVATE)


def read_swap(folder: Path, grant: bytes) -> SwapRow | None:
    """The sale under a grant, or None. Raises CorruptStoreError, StorageError."""
    path = _path(folder, grant)
    with storage_errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        row = SwapRow.decode(data)
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error
    if row.grant.grant != grant:
        raise CorruptStoreError(f"{path} is the sale of another grant")
    return row


def swap_grants(folder: Path) -> tuple[bytes, ...]:
    """The grants under which sales are kept, ascending. Raises StorageError."""
    with storage_errors(folder):
        names = sorted(path.name for path in folder.iterdir())
    stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
    return tuple(
        bytes.fromhex(stem)
        for stem in stems
        if len(stem) == 64 and not set(stem) - set("0123456789abcdef")
    )


def forget_swap(folder: Path, grant: bytes) -> None:
    """Forget a sale with its key. Raises StorageError."""
    with storage_errors(folder):
        _path(folder, grant).unlink(missing_ok=True)
        sync_folder(folder)


def _path(folder: Path, grant: bytes) -> Path:
    return folder / f"{grant.hex()}{_SUFFIX}"
