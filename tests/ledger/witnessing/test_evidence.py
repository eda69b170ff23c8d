"""Evidence: every fork gives it, and no honest log can be framed with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import encode_base64
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import LedgerError, MalformedError, RefusedError, VerificationError
from ledger.merkle.consistency import follow_consistency, verify_consistency
from ledger.note import CosignatureSigner, NoteSigner, SignedNote
from ledger.witness import cosign_checkpoint
from ledger.witnessing.comparison import Consistent, Unproven, compare_checkpoints
from ledger.witnessing.evidence import (
    MAX_EVIDENCE_SIZE,
    MAX_PATH,
    ForkClaim,
    ForkEvidence,
    path_of_leaf,
    verify_evidence,
)
from ledger.witnessing.leaf_path import LeafPath
from ledger.witnessing.proof_source import join_hashes, split_hashes
from tests.ledger.witnessing.sample_trees import (
    HONEST,
    KEYS,
    LOG,
    MOST,
    OLD_LOG,
    ORIGIN,
    OTHER_LOG,
    WITNESSES,
    LyingSource,
    TreeSource,
    fork_at,
    note,
    path,
)

PAIRS = [(old, new) for new in range(1, MOST + 1) for old in range(1, new)]


def frames(old_size: int, size: int, steps: Sequence[bytes]) -> bool:
    """Whether a path would be evidence against the honest log."""
    try:
        old_root, root = follow_consistency(old_size, size, steps)
    except VerificationError:
        return False
    return root == HONEST.mth(0, size) and old_root != HONEST.mth(0, old_size)


def flipped(value: bytes, bit: int = 0) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def spoiled(steps: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Every hash corrupted, left out, doubled, moved; and hashes too many."""
    whole = tuple(steps)
    for at, step in enumerate(whole):
        before, after = whole[:at], whole[at + 1 :]
        for bit in (0, 127, 255):
            yield (*before, flipped(step, bit), *after)
        yield (*before, bytes(32), *after)
        yield (*before, *after)
        yield (*before, step, step, *after)
        for other in range(at):
            moved = list(whole)
            moved[at], moved[other] = moved[other], moved[at]
            if tuple(moved) != whole:
                yield tuple(moved)
    yield (*whole, bytes(32))
    yield (bytes(32), *whole)
    yield whole[::-1] if len(whole) > 1 else ()
    yield whole[1:]


# An honest log cannot be framed


def test_the_right_paths_lead_to_both_roots() -> None:
    for old, new in PAIRS:
        assert follow_consistency(old, new, path(old, new)) == (
            HONEST.mth(0, old),
            HONEST.mth(0, new),
        )


def test_no_spoiled_proof_frames_an_honest_log() -> None:
    tried = 0
    for old, new in PAIRS:
        for steps in spoiled(path(old, new)):
            assert not frames(old, new, steps), (old, new)
            tried += 1
    assert tried > 40_000


def test_no_proof_between_other_sizes_frames_an_honest_log() -> None:
    small = [pair for pair in PAIRS if pair[1] <= 20]
    paths = {pair: path(*pair) for pair in small}
    for asked, given_path in itertools.product(small, paths.values()):
        assert not frames(*asked, given_path)
    for asked in small:
        for index in range(asked[1]):
            # Inclusion proofs, with and without the leaf that they start from.
            steps = HONEST.path(index, 0, asked[1])
            assert not frames(*asked, steps)
            assert not frames(*asked, [HONEST.leaves[index], *steps])


@given(
    st.sampled_from(PAIRS),
    st.lists(st.sampled_from([*HONEST.leaves[:4], *(HONEST.mth(0, n) for n in range(20))])),
)
def test_no_heap_of_true_hashes_frames_an_honest_log(
    pair: tuple[int, int], steps: list[bytes]
) -> None:
    assert not frames(*pair, steps)


def test_a_path_is_only_between_a_tree_and_a_larger_one() -> None:
    for old, new in ((0, 5), (5, 5), (6, 5), (0, 0), (-1, 3)):
        for steps in ((), (bytes(32),), path(3, 5)):
            with pytest.raises(VerificationError):
                follow_consistency(old, new, steps)
    with pytest.raises(VerificationError):
        follow_consistency(3, 5, ())


def test_no_two_honest_checkpoints_are_evidence() -> None:
    """End to end, signatures and all; `frames` is only the part that counts."""
    for old, new in itertools.product(range(10), repeat=2):
        steps = path(old, new) if 0 < old < new else ()
        candidates = [steps, (), (bytes(32),), (HONEST.mth(0, old), *steps)]
        candidates += list(itertools.islice(spoiled(steps), 3)) if steps else []
        for candidate in candidates:
            with pytest.raises(VerificationError):
                verify_evidence(ForkClaim.of(note(old), note(new), candidate), KEYS)


LIES = [RefusedError("no"), *(path(a, b) for a, b in ((1, 2), (3, 7), (8, 64)))]


@given(
    st.sampled_from(range(MOST + 1)),
    st.sampled_from(range(MOST + 1)),
    st.sampled_from(LIES) | st.lists(st.binary(max_size=40), max_size=8),
    st.sampled_from(range(MOST)),
    st.lists(st.sampled_from(HONEST.leaves) | st.binary(max_size=33), max_size=8),
)
def test_no_lying_source_frames_an_honest_log(
    one: int, other: int, proof: Sequence[bytes] | LedgerError, leaf: int, steps: list[bytes]
) -> None:
    source = LyingSource(proof, LeafPath(HONEST.leaves[leaf], tuple(steps)))
    found = compare_checkpoints(note(one), note(other), KEYS, source)
    assert isinstance(found, Consistent | Unproven)
    if one == other or 0 in (one, other):
        assert found == Consistent(())


def test_a_source_that_answers_for_another_tree_frames_nobody() -> None:
    for old, new in ((3, 7), (4, 7), (1, 2), (2, 3), (8, 64), (63, 64)):
        for fork in range(0, new, 3):
            found = compare_checkpoints(note(old), note(new), KEYS, TreeSource(fork_at(fork)))
            assert isinstance(found, Consistent | Unproven), (old, new, fork)


# Every fork is caught


def caught(found: object, old: int, new: int) -> ForkEvidence:
    assert isinstance(found, ForkEvidence), (old, new, found)
    again = verify_evidence(found.encode(), KEYS)
    assert again == found
    assert again.origin == ORIGIN
    assert again.first.checkpoint.size == min(old, new)
    assert again.contradiction != again.first.checkpoint.root
    return found


def test_two_witnesses_of_two_sides_have_evidence_once_they_compare() -> None:
    """All sizes up to 13, all positions of the fork: the larger side's tree answers."""
    for one, other in itertools.product(range(1, 14), repeat=2):
        for fork in range(min(one, other)):
            larger = HONEST if one > other else fork_at(fork)
            source = TreeSource(larger)
            found = compare_checkpoints(note(one), note(other, fork), KEYS, source)
            evidence = caught(found, one, other)
            assert found == compare_checkpoints(note(other, fork), note(one), KEYS, source)
            if one != other:
                assert evidence.contradiction == larger.mth(0, min(one, other))
            else:
                assert source.asked == []


@given(st.data())
def test_larger_forks_are_caught_too(data: st.DataObject) -> None:
    one, other = data.draw(st.tuples(*[st.integers(1, MOST)] * 2))
    fork = data.draw(st.integers(0, min(one, other) - 1))
    source = TreeSource(HONEST if one > other else fork_at(fork))
    caught(compare_checkpoints(note(one), note(other, fork), KEYS, source), one, other)


def test_sides_that_agree_so_far_are_consistent() -> None:
    for old, new in PAIRS:
        if new <= 20:
            for fork in range(old, new):
                source = TreeSource(fork_at(fork))
                found = compare_checkpoints(note(old), note(new, fork), KEYS, source)
                assert isinstance(found, Consistent)
                verify_consistency(
                    old, new, HONEST.mth(0, old), fork_at(fork).mth(0, new), found.proof
                )


def test_a_fork_without_a_proof_is_not_proven() -> None:
    silent = TreeSource(fork_at(2), failing=True)
    found = compare_checkpoints(note(5), note(9, 2), KEYS, silent)
    assert isinstance(found, Unproven)
    # The smaller side's tree cannot speak for the larger one's root.
    found = compare_checkpoints(note(5), note(9, 2), KEYS, TreeSource())
    assert isinstance(found, Unproven)


def test_the_path_from_a_power_of_two_comes_with_its_last_leaf() -> None:
    for height in range(6):
        old = 1 << height
        for new in range(old + 1, MOST + 1):
            leaf = LeafPath(HONEST.leaves[old - 1], tuple(HONEST.path(old - 1, 0, new)))
            assert path_of_leaf(old, leaf) == path(old, new)


# What else is refused


def test_evidence_needs_two_checkpoints_of_one_log_by_its_keys() -> None:
    fork = note(5, 2)
    assert verify_evidence(ForkClaim.of(note(5), fork), KEYS)
    other = sign_checkpoint(Checkpoint(OTHER_LOG.name, 5, bytes(32)), [OTHER_LOG])
    with pytest.raises(VerificationError, match="two logs"):
        verify_evidence(ForkClaim.of(note(5), other), [LOG.verifier_key, OTHER_LOG.verifier_key])
    stranger = NoteSigner(ORIGIN, OTHER_LOG.private_key)
    forged = sign_checkpoint(Checkpoint(ORIGIN, 5, bytes(32)), [stranger])
    for keys in (KEYS, [*KEYS, OTHER_LOG.verifier_key]):
        with pytest.raises(VerificationError):
            verify_evidence(ForkClaim.of(note(5), forged), keys)
    # The key of another log signs under this origin: not this log's signature.
    wrong_name = sign_checkpoint(Checkpoint(OTHER_LOG.name, 5, bytes(32)), [OTHER_LOG])
    text = Checkpoint(ORIGIN, 5, bytes(32)).encode()
    relabelled = SignedNote(text, SignedNote.parse(wrong_name).signatures).encode()
    with pytest.raises(VerificationError):
        verify_evidence(ForkClaim.of(note(5), relabelled), [*KEYS, OTHER_LOG.verifier_key])
    with pytest.raises(VerificationError):
        verify_evidence(ForkClaim.of(note(5), fork), [])


def test_a_retired_key_is_no_evidence_to_whom_it_is_not_valid() -> None:
    fork = note(5, 2, OLD_LOG)
    claim = ForkClaim.of(note(5), fork)
    with pytest.raises(VerificationError):
        verify_evidence(claim, KEYS)
    assert verify_evidence(claim, [*KEYS, OLD_LOG.verifier_key]).first.log_signatures


def test_cosignatures_are_checked_and_kept_to_date_the_checkpoints() -> None:
    witness = WITNESSES[0]
    dated = cosign_checkpoint(note(5, 2), witness, 1_700_000_000)
    claim = ForkClaim.of(dated, note(5))
    found = verify_evidence(claim, KEYS, [witness.verifier_key])
    times = [s.time_s for c in (found.first, found.second) for s in c.cosignatures]
    assert times == [1_700_000_000]
    assert witness.name.encode() in found.encode()
    text = SignedNote.parse(note(5, 2)).text
    line = witness.sign(Checkpoint.of_note(note(6)).encode(), 5)
    wrong = SignedNote(text, (*SignedNote.parse(note(5, 2)).signatures, line)).encode()
    with pytest.raises(VerificationError):
        verify_evidence(ForkClaim.of(wrong, note(5)), KEYS, [witness.verifier_key])
    assert verify_evidence(ForkClaim.of(wrong, note(5)), KEYS)


def test_a_path_between_equal_sizes_is_refused() -> None:
    with pytest.raises(VerificationError, match="no path"):
        verify_evidence(ForkClaim.of(note(5), note(5, 2), (bytes(32),)), KEYS)


def test_a_tree_of_no_leaves_is_evidence_only_against_itself() -> None:
    other_void = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), [LOG])
    assert verify_evidence(ForkClaim.of(note(0), other_void), KEYS)
    for steps in ((), (bytes(32),), path(3, 5)):
        with pytest.raises(VerificationError):
            verify_evidence(ForkClaim.of(other_void, note(5), steps), KEYS)
    assert compare_checkpoints(note(0), note(5), KEYS, TreeSource()) == Consistent(())
    found = compare_checkpoints(other_void, note(5), KEYS, TreeSource())
    assert isinstance(found, Unproven)


def test_checkpoints_that_are_not_comparable_are_refused() -> None:
    other = note(5, signer=OTHER_LOG)
    with pytest.raises(RefusedError, match="two logs"):
        compare_checkpoints(note(5), other, [*KEYS, OTHER_LOG.verifier_key], TreeSource())
    with pytest.raises(VerificationError):
        compare_checkpoints(note(5), other, KEYS, TreeSource())
    with pytest.raises(MalformedError):
        compare_checkpoints(note(5), b"nothing", KEYS, TreeSource())


def test_sources_are_asked_for_no_more_than_is_needed() -> None:
    source = TreeSource()
    compare_checkpoints(note(5), note(9), KEYS, source)
    assert source.asked == [(5, 9)]
    source = TreeSource(fork_at(2))
    compare_checkpoints(note(5), note(9, 2), KEYS, source)
    assert source.asked == [(5, 9)]
    source = TreeSource(fork_at(2))
    compare_checkpoints(note(4), note(9, 2), KEYS, source)
    assert source.asked == [(4, 9), (3, 9)]


# Bytes


CLAIMS = [
    ForkClaim.of(note(5), note(5, 2)),
    ForkClaim.of(note(3), note(7, 1), path(3, 7, fork_at(1))),
    ForkClaim.of(note(4), note(7, 1), path(4, 7, fork_at(1))),
    ForkClaim.of(cosign_checkpoint(note(1), WITNESSES[0], 5), note(64, 0), path(1, 64, fork_at(0))),
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_evidence_travels_as_bytes(claim: ForkClaim) -> None:
    data = claim.encode()
    assert ForkClaim.parse(data) == claim
    assert verify_evidence(data, KEYS).claim == claim
    assert data.startswith(b"quipu/fork-evidence/v1\nnotes ")
    assert claim.first in data
    assert data.endswith(claim.second)
    assert ForkClaim.of(claim.second, claim.first, split_hashes(join_hashes(claim.path))) == claim


def test_every_changed_byte_is_no_evidence_or_says_the_same() -> None:
    """Only base64 of an unknown key could change unseen; here every key is known."""
    data = CLAIMS[2].encode()
    for at in range(len(data)):
        for changed in (
            data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
            data[:at],
            data[at + 1 :],
        ):
            try:
                found = verify_evidence(changed, KEYS)
            except LedgerError:
                continue
            # A signature line whose name was damaged is a stranger's; one must be left.
            assert found.contradiction == fork_at(1).mth(0, 4), at


HEAD = b"quipu/fork-evidence/v1\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\n",
        HEAD + b"notes 1 1",
        HEAD + b"notes 1 1\n\nab",
        HEAD + b"notes 01 1\n\nab",
        HEAD + b"notes 1\n\na",
        HEAD + b"notes 1 1 1\n\nabc",
        HEAD + b"notes  1 1\n\nab",
        CLAIMS[1].encode().replace(b"/v1", b"/v2"),
        CLAIMS[1].encode() + b"\n",
        CLAIMS[1].encode()[:-1],
        CLAIMS[1].encode().replace(b"\n\n", b"\n\n\n", 1),
        CLAIMS[1].encode().replace(b"notes ", b"notes +", 1),
        CLAIMS[1].encode().replace(b"\n\n", b"\n" + b"A" * 42 + b"B=\n\n", 1),
        CLAIMS[1].encode().replace(b"\n\n", ("\n" + encode_base64(bytes(31)) + "\n\n").encode(), 1),
        CLAIMS[1]
        .encode()
        .replace(b"\n\n", ("\n" + encode_base64(bytes(32))).encode() * 64 + b"\n\n", 1),
        HEAD + b"notes 1 1\n\xe9\n\nab",
        b"x" * (MAX_EVIDENCE_SIZE + 1),
    ],
)
def test_bytes_of_another_form_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        ForkClaim.parse(data)


def test_the_order_of_the_checkpoints_is_fixed() -> None:
    for claim in CLAIMS:
        with pytest.raises(MalformedError, match="order"):
            ForkClaim(claim.second, claim.first, claim.path)


def test_a_path_of_other_things_than_hashes_is_refused() -> None:
    for steps in ((b"short",), ("text" * 8,), (bytes(33),), (bytes(32),) * (MAX_PATH + 1)):
        with pytest.raises(MalformedError):
            ForkClaim.of(note(3), note(7, 1), steps)  # type: ignore[arg-type]
    with pytest.raises(MalformedError):
        split_hashes(bytes(33))
    assert split_hashes(b"") == ()


def test_the_same_key_as_log_and_witness_is_refused() -> None:
    both = CosignatureSigner("example.com/both", LOG.private_key).verifier_key
    with pytest.raises(RefusedError):
        verify_evidence(CLAIMS[0], KEYS, [both])


def test_evidence_says_what_it_is_evidence_of() -> None:
    assert "two different roots of 5 leaves" in str(verify_evidence(CLAIMS[0], KEYS))
    assert "did not grow from the 3 leaves" in str(verify_evidence(CLAIMS[1], KEYS))
