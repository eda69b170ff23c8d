"""Headers under a checkpoint: what all else that a light client believes hangs from.

`verify_signed_header`, given the bytes of a SignedHeader and a `Trust`:

1. The message is in its one encoding.
2. The checkpoint is of the chain's log, signed by it, and by the quorum of witnesses.
3. The header is in its one encoding, and of this chain.
4. SHA256(0x00 || 0x03 || header) is leaf ``log_size`` *of the header* in the tree with
   the *checkpoint's* size and root.
5. The left siblings on that path are the tree before the header: they have the
   header's ``log_root``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.light.trust import Trust
from ledger.checkpoint import VerifiedCheckpoint
from ledger.errors import MalformedError, VerificationError
from ledger.merkle.inclusion import range_before, verify_inclusion
from ledger.note import MAX_NOTE_SIZE
from ledger.schema.canonical import parse_message, serialize_message
from ledger.schema.chain_receipt_pb2 import SignedHeader

MAX_SIGNED_HEADER_BYTES: Final = MAX_NOTE_SIZE + 4_096
"""Beyond it nothing is read, in bytes."""


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """A header that is in the chain's log. Made by `verify_header`."""

    header: Header
    checkpoint: VerifiedCheckpoint
    path: tuple[bytes, ...] = field(repr=False)

    def encode(self) -> bytes:
        """The SignedHeader that says so."""
        message = SignedHeader(
            header=self.header.encode(), header_path=self.path, checkpoint=self.checkpoint.note
        )
        return serialize_message(message, "signed header")


def verify_signed_header(data: bytes, trust: Trust) -> VerifiedHeader:
    """Check a SignedHeader, as the module says. Raises MalformedError, VerificationError."""
    require_size(data, MAX_SIGNED_HEADER_BYTES, "signed header")
    # 1. Form.
    message = parse_message(SignedHeader, data, "signed header")
    return verify_header(message.header, message.header_path, message.checkpoint, trust)


def verify_header(
    encoded: bytes, path: Sequence[bytes], note: bytes, trust: Trust
) -> VerifiedHeader:
    """Check a header, its path and its checkpoint: steps 2 to 5 above."""
    # 2. Checkpoint.
    signed = trust.open(note)
    # 3. Header.
    header = Header.parse(encoded)
    if header.chain != trust.chain:
        raise VerificationError(f"header {header.height} is of another chain")
    # 4. Place in the log. Its index is the header's own claim, which the path must bear out.
    size, root = signed.checkpoint.size, signed.checkpoint.root
    steps = tuple(path)
    verify_inclusion(leaf_id(LeafKind.HEADER, encoded), header.log_size, size, steps, root)
    # 5. The log before it.
    if range_before(header.log_size, size, steps).root() != header.log_root:
        raise VerificationError(f"header {header.height} names another log than it stands in")
    return VerifiedHeader(header, signed, steps)


def require_size(data: bytes, limit: int, what: str) -> None:
    """Refuse, with MalformedError, what is too long to be read."""
    if len(data) > limit:
        raise MalformedError(f"a {what} of {len(data)} bytes; {limit} at most")
