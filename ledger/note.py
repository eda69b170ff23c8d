"""Signed notes and verifier keys (C2SP signed-note v1.0.0; Go's ``sumdb/note``).

A note is a text signed by one or more keys::

    text, one or more lines, each ending in a newline
                                                    <- an empty line, the last one
    — <key name> base64(key id || signature)

    key id = SHA-256(key name || 0x0A || type || public key)[:4]

A verifier key, or vkey, is one line::

    <key name>+<hex key id>+base64(type || public key)

Two signature types are known. Type 0x01 signs the text. Type 0x04 (C2SP
tlog-cosignature, "Ed25519 signed message") is a witness's, and signs a time with it::

    signature = u64be(time in seconds) || Ed25519 signature over
    "cosignature/v1\\ntime " || decimal time || "\\n" || text

Parsing is as strict as Go's, and in two points stricter: base64 must be canonical,
and where one known key has several lines *every one* of them must verify (Go looks at
the first only); the key then counts once, with its first line.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ledger.canonical import NUMBER_LIMIT, decode_base64, encode_base64
from ledger.ed25519 import KEY_SIZE, SIGNATURE_SIZE, PrivateKey, PublicKey
from ledger.errors import MalformedError, RefusedError, VerificationError

MAX_NOTE_SIZE: Final = 1_000_000
"""Longest note that is read, in bytes."""

MAX_SIGNATURES: Final = 64
"""Most signature lines of a note that is read; signed-note asks for at least 16."""

KEY_ID_SIZE: Final = 4
_LINE_START: Final = "— "
_TIME: Final = struct.Struct(">Q")


class KeyKind(IntEnum):
    """Signature types (signed-note, "Signature types") that are accepted here."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04


def check_name(name: str) -> None:
    """Raise `MalformedError` unless ``name`` can be a key's name.

    signed-note, "Format": not empty, no Unicode space, no plus; and nothing that
    could not stand in a note: no control character, no lone surrogate.
    """
    if not name:
        raise MalformedError("key name is empty")
    if "+" in name or any(character.isspace() for character in name):
        raise MalformedError("key name holds a space or a plus")
    encode_text(name, "key name")


def encode_text(text: str, what: str) -> bytes:
    """Write ``text`` as UTF-8; ``what`` names it in the `MalformedError`.

    signed-note, "Format": no control character (below U+0020) other than newline.
    """
    if any(character < " " and character != "\n" for character in text):
        raise MalformedError(f"{what} holds a control character")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError(f"{what} cannot be written as UTF-8") from None


def compute_key_id(name: str, kind: KeyKind, public_key: PublicKey) -> bytes:
    """SHA-256(name || "\\n" || type || public key)[:4]."""
    preimage = name.encode("utf-8") + b"\n" + bytes([kind]) + bytes(public_key)
    return hashlib.sha256(preimage).digest()[:KEY_ID_SIZE]


def cosigned_message(text: str, time_s: int) -> bytes:
    """What a type 0x04 signature covers; ``time_s`` in seconds since 1970."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One line under a note: who says to have signed, and the bytes, not yet believed."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != KEY_ID_SIZE or not self.signature:
            raise MalformedError("signature line needs a key id of 4 bytes and a signature")

    @classmethod
    def parse(cls, line: str) -> SignatureLine:
        """Read one line without its newline. Raises `MalformedError`."""
        if not line.startswith(_LINE_START):
            raise MalformedError("signature line does not start with an em dash and a space")
        name, space, encoded = line.removeprefix(_LINE_START).partition(" ")
        if not space:
            raise MalformedError("signature line has no space after the key name")
        data = decode_base64(encoded, "signature")
        return cls(name, data[:KEY_ID_SIZE], data[KEY_ID_SIZE:])

    def encode(self) -> str:
        """Write the line, newline included."""
        return f"{_LINE_START}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key that may sign notes under a name."""

    name: str
    kind: KeyKind
    public_key: PublicKey

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that, with the name, say which key signed."""
        return compute_key_id(self.name, self.kind, self.public_key)

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a vkey. Raises `MalformedError`, also if its key id is not its key's."""
        # Base64 may hold further pluses; name and key id may not.
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise MalformedError("verifier key is not <name>+<key id>+<base64>")
        name, key_id, encoded = parts
        data = decode_base64(encoded, "verifier key")
        if len(data) != 1 + KEY_SIZE or data[0] not in tuple(KeyKind):
            raise MalformedError("verifier key is not Ed25519 (33 bytes of type 0x01 or 0x04)")
        key = cls(name, KeyKind(data[0]), PublicKey(data[1:]))
        if key.key_id.hex() != key_id:
            raise MalformedError("verifier key has a key id that is not that of its key")
        return key

    def encode(self) -> str:
        """Write the vkey."""
        material = encode_base64(bytes([self.kind]) + bytes(self.public_key))
        return f"{self.name}+{self.key_id.hex()}+{material}"

    def __str__(self) -> str:
        return self.encode()

    def verify(self, text: str, signature: bytes) -> int | None:
        """Check ``signature`` (without key id) over the note's ``text``.

        Returns the time that was signed with it, in seconds, for a cosignature, else
        None. Raises `VerificationError`.
        """
        if self.kind is KeyKind.ED25519:
            self.public_key.verify(signature, text.encode("utf-8"))
            return None
        if len(signature) != _TIME.size + SIGNATURE_SIZE:
            raise VerificationError(f"cosignature of {len(signature)} bytes, 72 expected")
        time_s: int = _TIME.unpack_from(signature)[0]
        if time_s >= NUMBER_LIMIT:
            raise VerificationError("cosignature has a time beyond 2^63 - 1")
        self.public_key.verify(signature[_TIME.size :], cosigned_message(text, time_s))
        return time_s


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key that signs notes (type 0x01) under a name."""

    name: str
    private_key: PrivateKey

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def verifier_key(self) -> VerifierKey:
        """The vkey that verifies what this signer signs."""
        return VerifierKey(self.name, KeyKind.ED25519, self.private_key.public_key)

    def sign(self, text: str) -> SignatureLine:
        """Sign the text of a note."""
        signature = self.private_key.sign(encode_text(text, "note"))
        return SignatureLine(self.name, self.verifier_key.key_id, signature)


@dataclass(frozen=True, slots=True)
class CosignatureSigner:
    """A witness's private key (type 0x04) and name. Not for a key that signs anything else."""

    name: str
    private_key: PrivateKey

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def verifier_key(self) -> VerifierKey:
        """The vkey that verifies what this signer signs."""
        return VerifierKey(self.name, KeyKind.COSIGNATURE_V1, self.private_key.public_key)

    def sign(self, text: str, time_s: int) -> SignatureLine:
        """Sign the text of a checkpoint as seen at ``time_s``, in seconds since 1970.

        Raises `MalformedError` for a time that is not from 1 to 2^63 - 1.
        """
        if not 0 < time_s < NUMBER_LIMIT:
            raise MalformedError("time of a cosignature must be from 1 to 2^63 - 1 seconds")
        signature = self.private_key.sign(cosigned_message(text, time_s))
        return SignatureLine(self.name, self.verifier_key.key_id, _TIME.pack(time_s) + signature)


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note whose form is right; no signature has been checked."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __post_init__(self) -> None:
        encode_text(self.text, "note")
        if not self.text.endswith("\n"):
            raise MalformedError("text of a note does not end in a newline")
        if not 0 < len(self.signatures) <= MAX_SIGNATURES:
            raise MalformedError(f"note needs from 1 to {MAX_SIGNATURES} signature lines")

    @classmethod
    def parse(cls, note: bytes) -> SignedNote:
        """Read a note. Raises `MalformedError`."""
        if len(note) > MAX_NOTE_SIZE:
            raise MalformedError(f"note is longer than {MAX_NOTE_SIZE} bytes")
        try:
            whole = note.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("note is not UTF-8") from None
        text, blank, lines = whole.rpartition("\n\n")
        if not blank:
            raise MalformedError("note has no empty line before its signatures")
        return cls(text + "\n", parse_signature_lines(lines))

    def encode(self) -> bytes:
        """Write the note. Raises `MalformedError` if it is too long to be read again."""
        lines = "".join(line.encode() for line in self.signatures)
        note = f"{self.text}\n{lines}".encode()
        if len(note) > MAX_NOTE_SIZE:
            raise MalformedError(f"note is longer than {MAX_NOTE_SIZE} bytes")
        return note


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that verified: whose, its line, and the time in seconds if it is timed."""

    key: VerifierKey
    line: SignatureLine
    time_s: int | None


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A text and the known keys that signed it, in the order of their lines, each once."""

    text: str
    signatures: tuple[VerifiedSignature, ...]


def open_note(note: bytes, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Read a note and check every signature of a known key.

    Lines whose name and key id are no known key's are ignored (signed-note,
    "Signatures"). Raises `MalformedError` for a wrong form, `VerificationError` if a
    known key's signature fails or no known key signed, `RefusedError` if two of
    ``keys`` share a name and key id.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise RefusedError(f"two keys are named {key.name} with key id {key.key_id.hex()}")
    parsed = SignedNote.parse(note)
    verified: dict[VerifierKey, VerifiedSignature] = {}
    for line in parsed.signatures:
        signer = known.get((line.name, line.key_id))
        if signer is None:
            continue
        try:
            time_s = signer.verify(parsed.text, line.signature)
        except VerificationError as error:
            raise VerificationError(
                f"note has a wrong signature of known key {line.name}+{line.key_id.hex()}"
            ) from error
        verified.setdefault(signer, VerifiedSignature(signer, line, time_s))
    if not verified:
        raise VerificationError("note is not signed by any known key")
    return OpenedNote(parsed.text, tuple(verified.values()))


def parse_signature_lines(lines: str) -> tuple[SignatureLine, ...]:
    """Read lines as they stand under a note, each ending in a newline, 1 to 64 of them.

    Raises `MalformedError`.
    """
    if not lines.endswith("\n"):
        raise MalformedError("signature lines do not end in a newline")
    if lines.count("\n") > MAX_SIGNATURES:
        raise MalformedError(f"more than {MAX_SIGNATURES} signature lines")
    return tuple(SignatureLine.parse(line) for line in lines[:-1].split("\n"))


def add_signatures(
    existing: Sequence[SignatureLine], new: Sequence[SignatureLine]
) -> tuple[SignatureLine, ...]:
    """The lines of both; of a key's lines in both, only the new one."""
    renewed = {(line.name, line.key_id) for line in new}
    return (*(line for line in existing if (line.name, line.key_id) not in renewed), *new)


def sign_note(
    text: str, signers: Sequence[NoteSigner], existing: Sequence[SignatureLine] = ()
) -> bytes:
    """Sign ``text`` with every signer, after the lines that it has already.

    A line of one of the signers among ``existing`` is left out in favour of the new
    one. Raises `MalformedError` for a text that cannot be a note's.
    """
    new = [signer.sign(text) for signer in signers]
    return SignedNote(text, add_signatures(existing, new)).encode()
