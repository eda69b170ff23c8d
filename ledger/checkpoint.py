"""Checkpoints: the signed size and root of a log (C2SP tlog-checkpoint v1.0.0).

A checkpoint is a note (`ledger.note`) whose text is three lines::

    example.com/behind-the-sofa                     origin, names the log
    20852163                                        number of leaves, decimal
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    root hash, base64

tlog-checkpoint allows further lines, which nobody can audit, and advises against
them; here they are refused. A log's key carries the origin as its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.canonical import NUMBER_LIMIT, decode_hash, decode_number, encode_base64
from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, RefusedError, VerificationError
from ledger.note import (
    KeyKind,
    NoteSigner,
    SignedNote,
    VerifiedSignature,
    VerifierKey,
    encode_text,
    open_note,
    sign_note,
)

ROOT_SIZE: Final = 32


def log_id(origin: str) -> bytes:
    """SHA-256("quipu/log/v1\\0" || origin): what every signature that is no note covers."""
    return hashlib.sha256(b"quipu/log/v1\0" + encode_text(origin, "origin")).digest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's name, its number of leaves and the root over them."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise MalformedError("checkpoint needs an origin of one line")
        encode_text(self.origin, "origin")
        if not 0 <= self.size < NUMBER_LIMIT:
            raise MalformedError("checkpoint needs a size from 0 to 2^63 - 1")
        if len(self.root) != ROOT_SIZE:
            raise MalformedError(f"checkpoint needs a root of {ROOT_SIZE} bytes")

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note. Raises `MalformedError`."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise MalformedError(
                "checkpoint is not three lines: origin, size, root",
                hint="extension lines are not accepted",
            )
        origin, size, root, _ = lines
        return cls(
            origin, decode_number(size, "checkpoint's size"), decode_hash(root, "checkpoint's root")
        )

    @classmethod
    def of_note(cls, note: bytes) -> Checkpoint:
        """What a note says, *without* checking who signed it. Raises `MalformedError`."""
        return cls.parse(SignedNote.parse(note).text)

    def encode(self) -> str:
        """Write the text of the note."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that its log signed, and who cosigned it.

    ``note`` is the bytes that were checked. ``log_signatures`` has at least one item:
    two or more while keys rotate. ``cosignatures`` are those of the given witness
    keys; their ``time_s`` is the witness's clock, in seconds since 1970.
    """

    checkpoint: Checkpoint
    note: bytes
    log_signatures: tuple[VerifiedSignature, ...]
    cosignatures: tuple[VerifiedSignature, ...]


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> bytes:
    """Sign with each of ``signers``; during a rotation there are two.

    Raises `RefusedError` for a signer that is not named like the origin: nobody would
    accept it as the log's.
    """
    for signer in signers:
        if signer.name != checkpoint.origin:
            raise RefusedError(f"key {signer.name} must not sign for the log {checkpoint.origin}")
    return sign_note(checkpoint.encode(), signers)


def open_checkpoint(
    note: bytes, log_keys: Sequence[VerifierKey], witness_keys: Sequence[VerifierKey] = ()
) -> VerifiedCheckpoint:
    """Read a checkpoint, check that its log signed it, and collect the cosignatures.

    Of ``log_keys`` (type 0x01, of one log or of several) at least one that is named
    like the origin must have signed; where its line stands does not matter.
    ``witness_keys`` are of type 0x04.

    Raises `MalformedError` for a wrong form; `VerificationError` if a known key's
    signature fails or no key of the origin signed; `RefusedError` if the keys are of
    the wrong type, or one public key is to count as two witnesses or as log and
    witness (a cosignature does not cover its signer's name).
    """
    _check_roles(log_keys, witness_keys)
    opened = open_note(note, (*log_keys, *witness_keys))
    checkpoint = Checkpoint.parse(opened.text)
    by_log = tuple(
        signature
        for signature in opened.signatures
        if signature.key.kind is KeyKind.ED25519 and signature.key.name == checkpoint.origin
    )
    if not by_log:
        raise VerificationError(
            f"checkpoint is not signed by a known key of its origin {checkpoint.origin!r}"
        )
    cosignatures = tuple(
        signature for signature in opened.signatures if signature.key.kind is KeyKind.COSIGNATURE_V1
    )
    return VerifiedCheckpoint(checkpoint, bytes(note), by_log, cosignatures)


def _check_roles(log_keys: Sequence[VerifierKey], witness_keys: Sequence[VerifierKey]) -> None:
    if any(key.kind is not KeyKind.ED25519 for key in log_keys):
        raise RefusedError("a log's key must be of type 0x01; a cosignature key was given")
    if any(key.kind is not KeyKind.COSIGNATURE_V1 for key in witness_keys):
        raise RefusedError("a witness's key must be of type 0x04; another was given")
    logs = {key.public_key for key in log_keys}
    names: dict[PublicKey, str] = {}
    for key in witness_keys:
        if key.public_key in logs or names.setdefault(key.public_key, key.name) != key.name:
            raise RefusedError(
                f"witness {key.name} has the public key of another signer",
                hint="a witness needs a key that signs nothing else",
            )
