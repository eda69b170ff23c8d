"""Witnessing: sign another log's checkpoint only after it was seen to have only grown.

Cosignatures are C2SP tlog-cosignature's Ed25519 kind (``cosignature/v1``); what a
witness checks before it gives one is C2SP tlog-witness, ``add-checkpoint``::

    old 20852014                                    size of the witness's latest checkpoint
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=    consistency proof from there:
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=    0 to 63 hashes
                                                    <- empty line
    example.com/behind-the-sofa                     the checkpoint, verbatim
    ...

The errors, and the status that a witness service answers them with:

===================  ======  ========================================================
`MalformedError`     400     the request breaks its form, or old size > size
`VerificationError`  403     from `open_checkpoint`: not signed by a key of its origin
`ConflictError`      409     old size is not the recorded one; ``size`` is the body
`VerificationError`  422     from `WitnessState`: not consistent with what was recorded
===================  ======  ========================================================

(404 is for an origin whose keys the service does not have.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.canonical import decode_hash, decode_number, encode_base64
from ledger.checkpoint import Checkpoint, VerifiedCheckpoint, log_id, open_checkpoint
from ledger.errors import (
    ConflictError,
    CorruptStoreError,
    MalformedError,
    RefusedError,
    VerificationError,
)
from ledger.merkle.consistency import verify_consistency
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.note import (
    MAX_NOTE_SIZE,
    CosignatureSigner,
    SignatureLine,
    SignedNote,
    VerifierKey,
    add_signatures,
    open_note,
    parse_signature_lines,
)
from ledger.storage import ReadTransaction, Storage, Table, WriteTransaction

MAX_CONSISTENCY_PROOF: Final = 63
"""Most hashes of a request (tlog-witness, "add-checkpoint")."""

MAX_REQUEST_SIZE: Final = MAX_NOTE_SIZE + 4096
"""Longest request that is read, in bytes: a note, 63 hashes of 45 bytes, the first line."""


def _now_s() -> int:
    return int(time.time())


@dataclass(frozen=True, slots=True)
class AddCheckpointRequest:
    """The body of an ``add-checkpoint`` request; nothing in it has been verified."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says, unverified: good for looking up the keys of its origin."""
        return Checkpoint.parse(SignedNote.parse(self.note).text)

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpointRequest:
        """Read a request. Raises `MalformedError`."""
        if len(body) > MAX_REQUEST_SIZE:
            raise MalformedError(f"request is longer than {MAX_REQUEST_SIZE} bytes")
        head, blank, note = bytes(body).partition(b"\n\n")
        if not blank:
            raise MalformedError("request has no empty line before its checkpoint")
        try:
            old, *hashes = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedError("request is not ASCII before its checkpoint") from None
        if not old.startswith("old "):
            raise MalformedError("request does not start with an old size line")
        old_size = decode_number(old.removeprefix("old "), "request's old size")
        if len(hashes) > MAX_CONSISTENCY_PROOF:
            raise MalformedError(f"request has more than {MAX_CONSISTENCY_PROOF} proof lines")
        request = cls(old_size, tuple(decode_hash(line, "proof's hash") for line in hashes), note)
        _check_old_size(old_size, request.checkpoint)
        return request

    def encode(self) -> bytes:
        """Write the request."""
        lines = [f"old {self.old_size}", *(encode_base64(item) for item in self.proof)]
        return "\n".join(lines).encode("ascii") + b"\n\n" + self.note


def _check_old_size(old_size: int, checkpoint: Checkpoint) -> None:
    if not 0 <= old_size <= checkpoint.size:
        raise MalformedError(
            f"old size {old_size} is not from 0 to the checkpoint's size {checkpoint.size}"
        )


def cosign_checkpoint(note: bytes, signer: CosignatureSigner, time_s: int) -> bytes:
    """Add the witness's signature, made at ``time_s`` (seconds since 1970), to a checkpoint.

    This only signs. A witness that others rely on signs through `WitnessState.cosign`,
    which knows what it has signed before. Raises `MalformedError`.
    """
    parsed = SignedNote.parse(note)
    Checkpoint.parse(parsed.text)
    line = signer.sign(parsed.text, time_s)
    return SignedNote(parsed.text, add_signatures(parsed.signatures, [line])).encode()


def add_cosignatures(note: bytes, answer: bytes, witness_keys: Sequence[VerifierKey]) -> bytes:
    """Add to a checkpoint the valid signature lines of a witness's answer.

    Lines that are there already change nothing. Lines of unknown keys are left out
    (tlog-witness, end of "add-checkpoint"). Raises `MalformedError`;
    `VerificationError` if a known witness's line is wrong or none is there.
    """
    parsed = SignedNote.parse(note)
    if len(answer) > MAX_NOTE_SIZE:
        raise MalformedError(f"witness's answer is longer than {MAX_NOTE_SIZE} bytes")
    try:
        answered = parse_signature_lines(bytes(answer).decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedError("witness's answer is not UTF-8") from None
    opened = open_note(SignedNote(parsed.text, answered).encode(), witness_keys)
    lines = [signature.line for signature in opened.signatures]
    if set(lines) <= set(parsed.signatures):
        return bytes(note)
    return SignedNote(parsed.text, add_signatures(parsed.signatures, lines)).encode()


def merge_cosignatures(
    stored: bytes,
    answer: bytes,
    log_keys: Sequence[VerifierKey],
    witness_keys: Sequence[VerifierKey],
) -> bytes:
    """Do what `add_cosignatures` does to a checkpoint in its log's own store.

    Raises as it does, `RefusedError` for a witness with a key of the log, and
    `CorruptStoreError` if the log did not sign what is stored.
    """
    try:
        before = open_checkpoint(stored, log_keys)
    except (MalformedError, VerificationError) as error:
        raise CorruptStoreError(f"a stored checkpoint is not good: {error.message}") from error
    merged = add_cosignatures(stored, answer, witness_keys)
    # Roles are checked here, and that no line of the log gave way to a witness's.
    after = open_checkpoint(merged, log_keys, witness_keys)
    if after.log_signatures != before.log_signatures:
        raise RefusedError("a cosignature would replace the log's own signature")
    return merged


@dataclass(frozen=True, slots=True)
class WitnessState:
    """The newest checkpoint of each log that this witness has seen to be consistent.

    One row a log, in META: ``"witness/" || log id`` -> the checkpoint with its log's
    signatures and this witness's own. Reading the row, checking against it and writing
    it happen in one write transaction, so that of two racing requests the later one is
    checked against what the earlier one left (tlog-witness, end of "add-checkpoint").
    """

    storage: Storage

    def latest(self, origin: str) -> bytes | None:
        """The newest checkpoint of a log, or None. Raises `CorruptStoreError`."""
        with self.storage.read() as transaction:
            recorded = _read(transaction, origin)
        return None if recorded is None else recorded[0].encode()

    def all(self) -> Iterator[bytes]:
        """The newest checkpoint of every log. Raises `CorruptStoreError`."""
        with self.storage.read() as transaction:
            rows = list(transaction.scan(Table.META, _PREFIX, _PREFIX[:-1] + b"0"))
        for key, row in rows:
            note = _parse_row(row, "a log")[0]
            if key != _row_key(Checkpoint.parse(note.text).origin):
                raise CorruptStoreError("a recorded checkpoint is in another log's place")
            yield note.encode()

    def observe(
        self, note: bytes, log_keys: Sequence[VerifierKey], old_size: int, proof: Sequence[bytes]
    ) -> VerifiedCheckpoint:
        """Check a checkpoint against the recorded one and record it, durably.

        ``old_size`` is the size that ``proof`` starts from, 0 for the first checkpoint
        of a log. Raises `MalformedError`, `VerificationError`, `ConflictError` as the
        module says, and storage errors; nothing is recorded then.
        """
        verified = open_checkpoint(note, log_keys)
        _check_old_size(old_size, verified.checkpoint)
        self.storage.write(
            lambda transaction: _advance(transaction, verified, old_size, proof, None)
        )
        return verified

    def cosign(
        self,
        note: bytes,
        log_keys: Sequence[VerifierKey],
        old_size: int,
        proof: Sequence[bytes],
        signer: CosignatureSigner,
        clock: Callable[[], int] = _now_s,
    ) -> bytes:
        """Do what `observe` does and cosign: the signature line, newline included.

        ``clock`` gives seconds since 1970. It is read inside the transaction: of two
        cosignatures the one over the larger tree has not the earlier time, unless the
        clock was set back. Raises as `observe` does, and `RefusedError` if ``signer``
        has one of the log's keys.
        """
        if signer.private_key.public_key in {key.public_key for key in log_keys}:
            raise RefusedError("a log's key must not be its witness's too")
        verified = open_checkpoint(note, log_keys)
        _check_old_size(old_size, verified.checkpoint)
        text = verified.checkpoint.encode()

        def advance_and_sign(transaction: WriteTransaction) -> SignatureLine:
            line = signer.sign(text, clock())
            _advance(transaction, verified, old_size, proof, line)
            return line

        return self.storage.write(advance_and_sign).encode().encode("utf-8")


_PREFIX: Final = b"witness/"


def _row_key(origin: str) -> bytes:
    return _PREFIX + log_id(origin)


def _read(transaction: ReadTransaction, origin: str) -> tuple[SignedNote, Checkpoint] | None:
    row = transaction.get(Table.META, _row_key(origin))
    if row is None:
        return None
    note, checkpoint = _parse_row(row, origin)
    if checkpoint.origin != origin:
        raise CorruptStoreError(f"the checkpoint recorded for {origin} is another log's")
    return note, checkpoint


def _parse_row(row: bytes, origin: str) -> tuple[SignedNote, Checkpoint]:
    try:
        note = SignedNote.parse(row)
        return note, Checkpoint.parse(note.text)
    except MalformedError as error:
        raise CorruptStoreError(f"the checkpoint recorded for {origin} is unreadable") from error


def _advance(
    transaction: WriteTransaction,
    verified: VerifiedCheckpoint,
    old_size: int,
    proof: Sequence[bytes],
    cosignature: SignatureLine | None,
) -> None:
    """Check ``verified`` against what ``transaction`` sees, and replace it there."""
    offered = verified.checkpoint
    recorded = _read(transaction, offered.origin)
    recorded_size = 0 if recorded is None else recorded[1].size
    if old_size != recorded_size:
        raise ConflictError(
            f"the recorded size of {offered.origin} is {recorded_size}, not {old_size}",
            size=recorded_size,
            hint=f"send a proof from size {recorded_size}",
        )
    if offered.size == 0 and offered.root != EMPTY_ROOT:
        raise VerificationError("checkpoint of size 0 has not the root of the empty tree")
    if recorded is None or recorded_size == 0:
        if proof:
            raise VerificationError("consistency proof from size 0 is not empty")
    else:
        verify_consistency(
            recorded_size, offered.size, recorded[1].root, offered.root, tuple(proof)
        )
    # Only lines that were verified are kept; a stranger's could fill the store.
    new = [signature.line for signature in verified.log_signatures]
    if cosignature is not None:
        new.append(cosignature)
    kept = recorded[0].signatures if recorded is not None and recorded[1] == offered else ()
    row = SignedNote(offered.encode(), add_signatures(kept, new)).encode()
    transaction.put(Table.META, _row_key(offered.origin), row)
