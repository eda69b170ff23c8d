"""The verifier is defined by what it rejects: every step broken, every byte changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, log_id, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.experience.content_root import (
    CHUNK_SIZE,
    content_root_of_leaves,
    disclose_chunk,
    leaves_of_chunks,
    rechunk,
)
from ledger.experience.disclosure import Disclosure, encode_disclosure
from ledger.experience.entry import ContentRange, Erasure, Experience, File, Kind, encode_entry
from ledger.merkle.hashing import leaf_hash
from ledger.note import CosignatureSigner, NoteSigner, SignedNote
from ledger.tlog_proof import TlogProof
from ledger.verifier import (
    VerifiedEntry,
    verify_chunk,
    verify_growth,
    verify_proof_file,
    verify_recording,
)
from ledger.witness import cosign_checkpoint
from tests.ledger.merkle.naive_tree import NaiveTree, leaves

ORIGIN = "example.com/robot"
ROBOT = NoteSigner(ORIGIN, PrivateKey.from_seed(b"r" * 32))
KEYS = [ROBOT.verifier_key]
WITNESSES = [
    CosignatureSigner(f"witness{i}.example", PrivateKey.from_seed(bytes([100 + i]) * 32))
    for i in range(3)
]
WITNESS_KEYS = [witness.verifier_key for witness in WITNESSES]

SALT_KEY = b"s" * 32
CONTENT = b"".join(i.to_bytes(4, "big") for i in range(2 * CHUNK_SIZE // 4)) + b"the last chunk"
CHUNKS = list(rechunk([CONTENT]))
CHUNK_LEAVES = leaves_of_chunks(SALT_KEY, CHUNKS)
EXPERIENCE = Experience(
    record_id=b"i" * 16,
    start_ns=1,
    end_ns=2,
    content_root=content_root_of_leaves(CHUNK_LEAVES),
    content_size=len(CONTENT),
    files=(File("a", 5), File("b", len(CONTENT) - 5)),
    media_type="application/octet-stream",
    name="a recording",
)
SIZE, INDEX = 13, 6

# What a test changes of an otherwise right proof.
Change = Callable[[TlogProof], TlogProof]


def entry_of(
    kind: Kind = EXPERIENCE, index: int = INDEX, key: PrivateKey = ROBOT.private_key
) -> bytes:
    return encode_entry(log_id(ORIGIN), index, kind, key)


def prove(
    entry: bytes,
    *,
    index: int = INDEX,
    salt_key: bytes | None = SALT_KEY,
    chunks: Sequence[int] = (1,),
    signers: Sequence[NoteSigner] = (ROBOT,),
    witnesses: Sequence[CosignatureSigner] = (),
    origin: str = ORIGIN,
) -> TlogProof:
    """A right proof of ``entry`` at ``index`` of a log of SIZE leaves."""
    tree = NaiveTree([*leaves(index), leaf_hash(entry), *leaves(SIZE - index - 1)])
    note = sign_checkpoint(Checkpoint(origin, SIZE, tree.mth(0, SIZE)), signers)
    for witness in witnesses:
        note = cosign_checkpoint(note, witness, 1_700_000_000)
    disclosed = tuple(disclose_chunk(CHUNK_LEAVES, SALT_KEY, chunk) for chunk in chunks)
    extra = encode_disclosure(Disclosure(entry, salt_key, disclosed))
    return TlogProof(index, tuple(tree.path(index, 0, SIZE)), note, extra)


PROOF = prove(entry_of())


def verified(proof: TlogProof = PROOF) -> VerifiedEntry:
    return verify_proof_file(proof.encode(), KEYS)


def one_line(error: LedgerError) -> bool:
    return len(str(error).splitlines()) == 1


# Steps 1 to 7


def test_a_right_proof_is_accepted_and_says_what_was_proven() -> None:
    proof = prove(entry_of(), witnesses=WITNESSES)
    result = verify_proof_file(proof.encode(), KEYS, WITNESS_KEYS, witness_threshold=3)
    assert result.encoded == entry_of()
    assert result.entry.kind == EXPERIENCE
    assert result.index == INDEX
    assert result.checkpoint.size == SIZE
    assert result.robot_key == ROBOT.private_key.public_key
    assert [item.key for item in result.cosignatures] == WITNESS_KEYS
    assert {item.time_s for item in result.cosignatures} == {1_700_000_000}


@pytest.mark.parametrize("index", range(SIZE))
def test_every_index_of_a_log_can_be_proven(index: int) -> None:
    assert verified(prove(entry_of(index=index), index=index)).index == index


def test_every_changed_byte_of_a_proof_file_is_refused() -> None:
    """With a threshold, a witness's line may not turn into a stranger's either.

    The salts are the one thing that steps 1 to 7 do not cover; 8 to 12 refuse those.
    """
    data = prove(entry_of(), witnesses=WITNESSES[:1]).encode()

    def check(proof: bytes) -> None:
        result = verify_proof_file(proof, KEYS, WITNESS_KEYS, witness_threshold=1)
        assert result.encoded == entry_of()
        verify_chunk(result, 1, CHUNKS[1])
        assert result.disclosure.salt_key is not None
        # Only the last, short chunk: a whole recording a byte would take minutes.
        if leaves_of_chunks(result.disclosure.salt_key, CHUNKS[2:]) != leaves_of_chunks(
            SALT_KEY, CHUNKS[2:]
        ):
            verify_recording(result, [CONTENT])

    check(data)
    for position in range(len(data)):
        for mask in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[position] ^= mask
            with pytest.raises((MalformedError, VerificationError)) as error:
                check(bytes(changed))
            assert one_line(error.value)


def test_every_truncation_and_extension_of_a_proof_file_is_refused() -> None:
    data = PROOF.encode()
    for end in range(len(data)):
        with pytest.raises((MalformedError, VerificationError)):
            verify_proof_file(data[:end], KEYS)
    for tail in (b"\n", b"\0", b" ", b"x\n", data):
        with pytest.raises((MalformedError, VerificationError)):
            verify_proof_file(data + tail, KEYS)


def flip(hash_: bytes) -> bytes:
    return bytes([hash_[0] ^ 1]) + hash_[1:]


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: replace(proof, path=proof.path[:-1]),
        lambda proof: replace(proof, path=proof.path[1:]),
        lambda proof: replace(proof, path=(*proof.path, bytes(32))),
        lambda proof: replace(proof, path=proof.path[::-1]),
        lambda proof: replace(proof, path=()),
        *[
            lambda proof, i=i: replace(
                proof, path=(*proof.path[:i], flip(proof.path[i]), *proof.path[i + 1 :])
            )
            for i in range(len(PROOF.path))
        ],
        *[lambda proof, i=i: replace(proof, index=i) for i in range(SIZE) if i != INDEX],
        *[lambda proof, i=i: replace(proof, index=i) for i in (SIZE, SIZE + INDEX, 2**63 - 1)],
    ],
)
def test_a_wrong_path_or_index_is_refused(change: Change) -> None:
    with pytest.raises(VerificationError):
        verified(change(PROOF))


def test_an_inner_node_is_no_leaf() -> None:
    """0x00 and 0x01 in front keep leaves and nodes apart."""
    tree = NaiveTree([*leaves(INDEX), leaf_hash(entry_of()), *leaves(SIZE - INDEX - 1)])
    # Without the prefixes, the two hashes under a node would be an entry at half the index.
    children = tree.mth(0, 1) + tree.mth(1, 2)
    extra = encode_disclosure(Disclosure(children))
    with pytest.raises(VerificationError, match="inclusion proof"):
        verified(replace(PROOF, index=0, path=tuple(tree.path(0, 0, SIZE))[1:], extra=extra))


def test_a_proof_without_an_entry_is_malformed() -> None:
    for extra in (None, b"not a disclosure", encode_disclosure(Disclosure(b"no entry"))):
        with pytest.raises((MalformedError, VerificationError)):
            verified(replace(PROOF, extra=extra))


def test_a_leaf_that_is_no_entry_is_malformed() -> None:
    for leaf in (b"junk", entry_of() + b"\x18\x00", entry_of()[:-1]):
        with pytest.raises(MalformedError):
            verified(prove(leaf))


def test_an_entry_that_stands_at_another_index_is_refused() -> None:
    with pytest.raises(VerificationError, match="says that it is entry 5"):
        verified(prove(entry_of(index=5)))


def test_an_entry_of_another_log_is_refused() -> None:
    entry = encode_entry(log_id("example.com/other"), INDEX, EXPERIENCE, ROBOT.private_key)
    with pytest.raises(VerificationError, match="not signed by its robot key for this log"):
        verified(prove(entry))


def test_a_checkpoint_of_another_log_or_key_is_refused() -> None:
    other = NoteSigner("example.com/other", ROBOT.private_key)
    with pytest.raises(VerificationError):
        verified(prove(entry_of(), signers=[other], origin="example.com/other"))
    impostor = NoteSigner(ORIGIN, PrivateKey.from_seed(b"x" * 32))
    with pytest.raises(VerificationError):
        verified(prove(entry_of(), signers=[impostor]))
    with pytest.raises(VerificationError):
        verify_proof_file(PROOF.encode(), [])


def test_a_robot_key_is_trusted_only_by_name() -> None:
    old = NoteSigner(ORIGIN, PrivateKey.from_seed(b"o" * 32))
    entry = entry_of(key=old.private_key)
    proof = prove(entry).encode()
    with pytest.raises(VerificationError, match=bytes(old.private_key.public_key).hex()) as error:
        verify_proof_file(proof, KEYS)
    assert "rotated" in str(error.value)
    by_log_key = verify_proof_file(proof, [*KEYS, old.verifier_key])
    by_robot_key = verify_proof_file(proof, KEYS, robot_keys=[old.private_key.public_key])
    assert by_log_key.robot_key == by_robot_key.robot_key == old.private_key.public_key
    # A key that is trusted for another log is not for this one.
    elsewhere = NoteSigner("example.com/other", old.private_key)
    with pytest.raises(VerificationError):
        verify_proof_file(proof, [*KEYS, elsewhere.verifier_key])
    with pytest.raises(VerificationError):
        verify_proof_file(PROOF.encode(), KEYS, robot_keys=[])


def test_both_keys_may_sign_the_checkpoint_during_a_rotation() -> None:
    new = NoteSigner(ORIGIN, PrivateKey.from_seed(b"n" * 32))
    for signers in ([ROBOT, new], [new, ROBOT]):
        proof = prove(entry_of(), signers=signers).encode()
        assert len(verify_proof_file(proof, KEYS).signed.log_signatures) == 1
        both = verify_proof_file(proof, [*KEYS, new.verifier_key])
        assert len(both.signed.log_signatures) == 2


def test_witnesses_are_counted() -> None:
    proof = prove(entry_of(), witnesses=WITNESSES[:2]).encode()
    for threshold in (0, 1, 2):
        verify_proof_file(proof, KEYS, WITNESS_KEYS, threshold)
    with pytest.raises(VerificationError, match="2 known witnesses, 3 are asked for"):
        verify_proof_file(proof, KEYS, WITNESS_KEYS, 3)
    with pytest.raises(VerificationError):
        verify_proof_file(proof, KEYS, WITNESS_KEYS[2:], 1)


def test_one_witness_does_not_count_twice() -> None:
    note = SignedNote.parse(PROOF.checkpoint_note)
    lines = [WITNESSES[0].sign(note.text, time_s) for time_s in (1, 2, 3)]
    many = SignedNote(note.text, (*note.signatures, *lines)).encode()
    proof = replace(PROOF, checkpoint_note=many).encode()
    assert len(verify_proof_file(proof, KEYS, WITNESS_KEYS, 1).cosignatures) == 1
    with pytest.raises(VerificationError, match="1 known witnesses"):
        verify_proof_file(proof, KEYS, WITNESS_KEYS, 2)
    twin = CosignatureSigner("twin.example", WITNESSES[0].private_key)
    with pytest.raises(RefusedError):
        verify_proof_file(proof, KEYS, [*WITNESS_KEYS, twin.verifier_key], 2)


@pytest.mark.parametrize("threshold", [-1, 4])
def test_a_threshold_that_makes_no_sense_is_refused(threshold: int) -> None:
    with pytest.raises(RefusedError):
        verify_proof_file(PROOF.encode(), KEYS, WITNESS_KEYS, threshold)


def test_a_cosignature_over_another_checkpoint_is_refused() -> None:
    other = Checkpoint(ORIGIN, SIZE, bytes(32)).encode()
    note = SignedNote.parse(PROOF.checkpoint_note)
    wrong = SignedNote(note.text, (*note.signatures, WITNESSES[0].sign(other, 5))).encode()
    proof = replace(PROOF, checkpoint_note=wrong).encode()
    verify_proof_file(proof, KEYS)
    with pytest.raises(VerificationError):
        verify_proof_file(proof, KEYS, WITNESS_KEYS)


# Steps 8 to 12


@pytest.mark.parametrize("step", [4099, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, len(CONTENT)])
def test_a_recording_is_accepted_however_it_is_cut(step: int) -> None:
    pieces = [CONTENT[i : i + step] for i in range(0, len(CONTENT), step)]
    verify_recording(verified(), pieces)
    verify_recording(verified(), iter([b"", *pieces, b""]), CHUNK_LEAVES)


@pytest.mark.parametrize("position", [0, 5, CHUNK_SIZE, 2 * CHUNK_SIZE - 1, len(CONTENT) - 1])
def test_a_changed_byte_of_a_recording_is_found(position: int) -> None:
    changed = bytearray(CONTENT)
    changed[position] ^= 0x10
    with pytest.raises(VerificationError, match="content root"):
        verify_recording(verified(), [bytes(changed)])
    with pytest.raises(VerificationError, match=f"chunk {position // CHUNK_SIZE} "):
        verify_recording(verified(), [bytes(changed)], CHUNK_LEAVES)


def test_a_recording_of_another_length_is_refused() -> None:
    for content, problem in (
        (b"", "0 bytes long"),
        (CONTENT[:-1], "bytes long"),
        (CONTENT[:CHUNK_SIZE], "bytes long"),
        (CONTENT + b"x", "longer"),
    ):
        with pytest.raises(VerificationError, match=problem):
            verify_recording(verified(), [content])


def test_an_endless_recording_is_refused_as_soon_as_it_is_too_long() -> None:
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield bytes(CHUNK_SIZE)

    with pytest.raises(VerificationError, match="longer"):
        verify_recording(verified(), endless())  # type: ignore[arg-type]
    assert read == 3


def test_chunks_in_another_order_are_refused() -> None:
    with pytest.raises(VerificationError):
        verify_recording(verified(), [CHUNKS[1], CHUNKS[0], CHUNKS[2]])


def test_known_leaves_are_not_believed() -> None:
    wrong = [flip(CHUNK_LEAVES[0]), *CHUNK_LEAVES[1:]]
    for bad in (wrong, CHUNK_LEAVES[:-1], [], [content_root_of_leaves(CHUNK_LEAVES)]):
        with pytest.raises(VerificationError, match="known chunk leaves"):
            verify_recording(verified(), [CONTENT], bad)


def test_a_recording_needs_the_right_salt_key() -> None:
    with pytest.raises(VerificationError, match="no salt key"):
        verify_recording(verified(prove(entry_of(), salt_key=None)), [CONTENT])
    with pytest.raises(VerificationError, match="content root"):
        verify_recording(verified(prove(entry_of(), salt_key=b"S" * 32)), [CONTENT])


def test_an_empty_recording_is_checked_too() -> None:
    empty = replace(
        EXPERIENCE, content_root=content_root_of_leaves([]), content_size=0, files=(File("a", 0),)
    )
    result = verified(prove(entry_of(empty), chunks=()))
    verify_recording(result, [])
    verify_recording(result, [b""])
    with pytest.raises(VerificationError):
        verify_recording(result, [b"x"])
    with pytest.raises(NotFoundError):
        verify_chunk(result, 0, b"")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_chunk_is_accepted_by_its_salt_and_path_alone(index: int) -> None:
    result = verified(prove(entry_of(), salt_key=None, chunks=[index]))
    verify_chunk(result, index, CHUNKS[index])
    changed = bytearray(CHUNKS[index])
    changed[-1] ^= 1
    with pytest.raises(VerificationError, match="not what was recorded"):
        verify_chunk(result, index, bytes(changed))
    for wrong in (CHUNKS[index][:-1], CHUNKS[index] + b"x", b""):
        with pytest.raises(VerificationError, match="bytes long"):
            verify_chunk(result, index, wrong)
    with pytest.raises(VerificationError, match="does not disclose"):
        verify_chunk(result, (index + 1) % 3, CHUNKS[(index + 1) % 3])
    for beyond in (-1, 3):
        with pytest.raises(NotFoundError):
            verify_chunk(result, beyond, CHUNKS[0])


def test_a_chunk_is_not_accepted_in_anothers_place() -> None:
    one = disclose_chunk(CHUNK_LEAVES, SALT_KEY, 1)
    for moved in (replace(one, index=0), replace(one, path=one.path[:-1]), replace(one, path=())):
        extra = encode_disclosure(Disclosure(entry_of(), None, (moved,)))
        with pytest.raises(VerificationError, match="not what was recorded"):
            verify_chunk(verified(replace(PROOF, extra=extra)), moved.index, CHUNKS[1])


def test_what_has_no_content_has_nothing_to_compare() -> None:
    pointing = replace(
        EXPERIENCE,
        content_root=b"",
        content_size=0,
        files=(),
        ranges=(ContentRange(b"o" * 16, "file", 0, 1, 0, 0),),
    )
    for kind in (Erasure((b"i" * 16,), "asked to"), pointing):
        result = verified(prove(entry_of(kind)))
        with pytest.raises(VerificationError):
            verify_recording(result, [CONTENT])
        with pytest.raises(VerificationError):
            verify_chunk(result, 0, CHUNKS[0])


# Steps 13 and 14

TREE = NaiveTree(leaves(20))


def note_of(size: int, tree: NaiveTree = TREE, signer: NoteSigner = ROBOT) -> bytes:
    return sign_checkpoint(Checkpoint(signer.name, size, tree.mth(0, size)), [signer])


@pytest.mark.parametrize("old", [1, 2, 5, 8, 19, 20])
@pytest.mark.parametrize("new", [1, 7, 8, 20])
def test_growth_is_accepted_and_shrinking_refused(old: int, new: int) -> None:
    if old <= new:
        before, after = verify_growth(note_of(old), note_of(new), TREE.proof(old, new), KEYS)
        assert (before.checkpoint.size, after.checkpoint.size) == (old, new)
    else:
        with pytest.raises(VerificationError, match="shrank"):
            verify_growth(note_of(old), note_of(new), TREE.proof(new, old), KEYS)


def test_a_split_view_is_named_as_such() -> None:
    fork = NaiveTree([b"\x66" * 32, *leaves(20)])
    with pytest.raises(VerificationError, match="split view"):
        verify_growth(note_of(5), note_of(5, fork), (), KEYS)
    for proof in (fork.proof(5, 9), TREE.proof(5, 9)):
        with pytest.raises(VerificationError):
            verify_growth(note_of(5), note_of(9, fork), proof, KEYS)


def test_growth_needs_one_log_and_its_signatures() -> None:
    other = NoteSigner("example.com/other", PrivateKey.from_seed(b"x" * 32))
    keys = [*KEYS, other.verifier_key]
    with pytest.raises(VerificationError, match="two logs"):
        verify_growth(note_of(5), note_of(9, signer=other), TREE.proof(5, 9), keys)
    for notes in ((note_of(5), note_of(9, signer=other)), (note_of(5, signer=other), note_of(9))):
        with pytest.raises(VerificationError):
            verify_growth(*notes, TREE.proof(5, 9), KEYS)


def test_growth_from_nothing_proves_nothing() -> None:
    with pytest.raises(VerificationError, match="size 0"):
        verify_growth(note_of(0), note_of(9), (), KEYS)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_other_consistency_proof_is_accepted(data: st.DataObject) -> None:
    old = data.draw(st.integers(1, 19))
    new = data.draw(st.integers(old + 1, 20))
    right = TREE.proof(old, new)
    hashes = st.sampled_from([*right, bytes(32), TREE.mth(0, old), TREE.mth(0, new)])
    proof = data.draw(st.lists(hashes, max_size=len(right) + 2))
    if proof == right:
        return
    with pytest.raises(VerificationError):
        verify_growth(note_of(old), note_of(new), proof, KEYS)


def test_the_verifier_needs_no_store() -> None:
    program = (
        "import sys, ledger.verifier;"
        "sys.exit(any(m == 'lmdb' or m.startswith('ledger.storage') for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 0
