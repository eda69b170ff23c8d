"""Check what a robot claims, offline: bytes and public keys in, a verdict out.

No store, no network, no clock is asked. A verdict is a value, or an error:
`MalformedError` if the bytes do not follow their format, `VerificationError` if their
claim is false or not shown, `RefusedError` if the caller's own keys contradict each
other. The format is in ``docs/format.md``; its section 6 has these steps too.

`verify_proof_file` - this entry is in that log, and the robot wrote it:

1. The file is a C2SP tlog-proof; its ``extra`` is a `Disclosure`, which holds the entry.
2. The checkpoint is signed by a log key named like its origin, and bears no wrong
   signature of a known key.
3. At least as many witnesses as the caller asks for have cosigned it.
4. SHA256(0x00 || entry) is leaf ``index`` of the tree with the *checkpoint's* size and root.
5. The entry parses, and says itself that it is number ``index``.
6. It names a robot key that the caller trusts: by default the keys of step 2's origin.
7. The robot key signed it for the log id of the checkpoint's origin.

`verify_recording` - these bytes are what that entry recorded, given the salt key:

8. The entry is an `Experience` that has content of its own.
9. The bytes are ``content_size`` long.
10. The root over SHA256(0x00 || salt_i || chunk_i) is ``content_root``.

`verify_chunk` - these bytes are chunk i of it, given salt_i and a path: step 8, then

11. The chunk is as long as chunk i of ``content_size`` bytes must be.
12. SHA256(0x00 || salt_i || chunk) is leaf i of the tree of
    ceil(``content_size`` / 262,144) leaves with root ``content_root``.

`verify_growth` - a log only grew from one checkpoint to another:

13. Both checkpoints pass step 2 and name one origin.
14. The consistency proof leads from the one's size and root to the other's.

Times are not checked: those of an entry are the robot's claim, those of cosignatures
the witnesses' own; both are handed on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ledger.checkpoint import Checkpoint, VerifiedCheckpoint, log_id, open_checkpoint
from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, RefusedError, VerificationError
from ledger.experience.content_root import (
    chunk_count,
    chunk_leaf,
    chunk_length,
    chunk_salt,
    content_root_of_leaves,
    rechunk,
)
from ledger.experience.disclosure import Disclosure, parse_disclosure
from ledger.experience.entry import Entry, Experience, parse_entry, verify_entry
from ledger.merkle.consistency import verify_consistency
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.inclusion import verify_inclusion
from ledger.note import VerifiedSignature, VerifierKey
from ledger.tlog_proof import TlogProof


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """An entry that is in a log and was signed by its robot.

    ``encoded`` is the leaf, byte for byte. ``disclosure`` came with the proof and is
    *not* verified, save its ``entry``: `verify_recording` and `verify_chunk` use it.
    """

    encoded: bytes = field(repr=False)
    entry: Entry
    index: int
    signed: VerifiedCheckpoint
    disclosure: Disclosure

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that the entry was shown to be under."""
        return self.signed.checkpoint

    @property
    def cosignatures(self) -> tuple[VerifiedSignature, ...]:
        """The known witnesses' cosignatures, with their times in seconds."""
        return self.signed.cosignatures

    @property
    def robot_key(self) -> PublicKey:
        """The key that signed the entry."""
        return PublicKey(self.entry.robot_key)


def verify_proof_file(
    proof: bytes,
    log_keys: Sequence[VerifierKey],
    witness_keys: Sequence[VerifierKey] = (),
    witness_threshold: int = 0,
    robot_keys: Collection[PublicKey] | None = None,
) -> VerifiedEntry:
    """Check a proof file: steps 1 to 7 above.

    ``robot_keys`` are the keys that may have signed the entry. Without them the keys of
    ``log_keys`` named like the origin may; an entry from before a rotation needs its
    old key named here or there.

    Raises `MalformedError`, `VerificationError`; `RefusedError` for keys of wrong
    types, witnesses that share a key, or a threshold that no checkpoint could reach.
    """
    _check_threshold(witness_keys, witness_threshold)
    # 1. Form.
    parsed = TlogProof.parse(proof)
    if parsed.extra is None:
        raise MalformedError("proof discloses no entry: it has no extra line")
    disclosure = parse_disclosure(parsed.extra)
    # 2. Checkpoint, and 3. witnesses. Each known witness is there once (`open_checkpoint`).
    signed = open_checkpoint(parsed.checkpoint_note, log_keys, witness_keys)
    checkpoint = signed.checkpoint
    if len(signed.cosignatures) < witness_threshold:
        raise VerificationError(
            f"checkpoint is cosigned by {len(signed.cosignatures)} known witnesses, "
            f"{witness_threshold} are asked for"
        )
    # 4. Inclusion. Size and root are the checkpoint's; index is what the proof claims.
    verify_inclusion(
        leaf_hash(disclosure.entry), parsed.index, checkpoint.size, parsed.path, checkpoint.root
    )
    # 5. Entry.
    entry = parse_entry(disclosure.entry)
    if entry.sequence != parsed.index:
        raise VerificationError(f"entry {parsed.index} says that it is entry {entry.sequence}")
    # 6. Robot key.
    if robot_keys is None:
        robot_keys = [key.public_key for key in log_keys if key.name == checkpoint.origin]
    if entry.robot_key not in {bytes(key) for key in robot_keys}:
        raise VerificationError(
            f"entry {parsed.index} is signed by key {entry.robot_key.hex()}, "
            "which is not among the trusted ones",
            hint="if the robot's key was rotated, give the key of that time too",
        )
    # 7. Robot signature.
    verify_entry(entry, log_id(checkpoint.origin))
    return VerifiedEntry(disclosure.entry, entry, parsed.index, signed, disclosure)


def _check_threshold(witness_keys: Sequence[VerifierKey], threshold: int) -> None:
    witnesses = len({key.public_key for key in witness_keys})
    if not 0 <= threshold <= witnesses:
        raise RefusedError(
            f"{threshold} cosignatures are asked for, and {witnesses} witnesses are known",
            hint="give at least as many witness keys as cosignatures you ask for",
        )


def verify_recording(
    verified: VerifiedEntry,
    pieces: Iterable[bytes],
    leaves: Sequence[bytes] | None = None,
) -> None:
    """Check a whole recording against its entry: steps 8 to 10 above.

    ``pieces`` are the recording's files, joined in the order of the entry, cut at any
    place; at most one chunk of them is held at a time. The salt key is the one that the
    proof discloses. If the chunk ``leaves`` are known, the first wrong chunk is named;
    they are not believed before they lead to the content root.

    Raises `VerificationError`, and whatever iterating over ``pieces`` raises.
    """
    experience = _content_of(verified)
    salt_key = verified.disclosure.salt_key
    if salt_key is None:
        raise VerificationError(
            "proof discloses no salt key, so the recording cannot be checked",
            hint="ask for a proof made with --recording",
        )
    size, root = experience.content_size, experience.content_root
    if leaves is not None and (
        len(leaves) != chunk_count(size) or content_root_of_leaves(leaves) != root
    ):
        raise VerificationError("known chunk leaves do not lead to the entry's content root")
    computed: list[bytes] = []
    seen = 0
    for index, chunk in enumerate(rechunk(pieces)):
        seen += len(chunk)
        # 9. Size. What is too long is refused before all of it is read.
        if seen > size:
            raise VerificationError(f"recording is longer than the {size} bytes of its entry")
        # 10. SHA256(0x00 || salt_i || chunk_i).
        computed.append(chunk_leaf(chunk_salt(salt_key, index), chunk))
        if leaves is not None and computed[index] != leaves[index]:
            raise VerificationError(f"chunk {index} of the recording is not what was recorded")
    if seen != size:
        raise VerificationError(f"recording is {seen} bytes long, its entry says {size}")
    if content_root_of_leaves(computed) != root:
        raise VerificationError("recording does not lead to the content root of its entry")


def verify_chunk(verified: VerifiedEntry, index: int, chunk: bytes) -> None:
    """Check chunk ``index`` of a recording against its entry: steps 8, 11 and 12 above.

    Salt and path are those that the proof discloses for this chunk.

    Raises `VerificationError`; `NotFoundError` if the content has no such chunk.
    """
    experience = _content_of(verified)
    size = experience.content_size
    # 11. Length.
    length = chunk_length(index, size)
    if len(chunk) != length:
        raise VerificationError(f"chunk {index} is {len(chunk)} bytes long, {length} expected")
    disclosed = next((item for item in verified.disclosure.chunks if item.index == index), None)
    if disclosed is None:
        raise VerificationError(
            f"proof does not disclose chunk {index}",
            hint=f"ask for a proof made with --chunk {index}",
        )
    # 12. Inclusion in the content's own tree.
    leaf = chunk_leaf(disclosed.salt, chunk)
    try:
        verify_inclusion(leaf, index, chunk_count(size), disclosed.path, experience.content_root)
    except VerificationError as error:
        raise VerificationError(f"chunk {index} is not what was recorded") from error


def _content_of(verified: VerifiedEntry) -> Experience:
    # 8. An experience with files; the others have nothing to compare with.
    kind = verified.entry.kind
    if not isinstance(kind, Experience):
        raise VerificationError(f"entry {verified.index} records no experience")
    if not kind.files:
        raise VerificationError(
            f"entry {verified.index} has no content of its own",
            hint="it names parts of other records; check those",
        )
    return kind


def verify_growth(
    old_note: bytes,
    new_note: bytes,
    proof: Sequence[bytes],
    log_keys: Sequence[VerifierKey],
    witness_keys: Sequence[VerifierKey] = (),
) -> tuple[VerifiedCheckpoint, VerifiedCheckpoint]:
    """Check that a log only grew from an older checkpoint to a newer: steps 13 and 14 above.

    Returns both checkpoints. Raises `MalformedError`, `RefusedError`, and
    `VerificationError`, also where the older one is of size 0, from which nothing can
    be proven. Two roots of one size are a split view: with both notes anybody can show
    that the log's key signed two histories.
    """
    # 13. Signatures, origin.
    old = open_checkpoint(old_note, log_keys, witness_keys)
    new = open_checkpoint(new_note, log_keys, witness_keys)
    before, after = old.checkpoint, new.checkpoint
    if before.origin != after.origin:
        raise VerificationError(f"two logs: {before.origin!r} and {after.origin!r}")
    if before.size > after.size:
        raise VerificationError(f"log shrank from {before.size} to {after.size} leaves")
    if before.size == after.size and before.root != after.root:
        raise VerificationError(
            f"split view: the log signed two roots for size {before.size}",
            hint="keep both checkpoints, they are the evidence",
        )
    # 14. Consistency.
    verify_consistency(before.size, after.size, before.root, after.root, tuple(proof))
    return old, new
