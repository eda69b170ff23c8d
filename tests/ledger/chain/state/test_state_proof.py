"""Proofs: all of them for small maps, and what a verifier must refuse."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.state.hashing import inner_hash, leaf_hash
from ledger.chain.state.proof import StateProof, verify_absence, verify_membership
from ledger.chain.state.store import open_state
from ledger.errors import MalformedError, VerificationError
from ledger.storage.memory import MemoryStorage
from tests.independent import verify_state
from tests.ledger.chain.state.chain_store import add_height
from tests.ledger.chain.state.naive_state import bits_of, proof_of, root_of

ROOT = b"r" * 32
KEYS = [b"key %d" % number for number in range(7)]


def holds(root: bytes, key: bytes, proof: StateProof) -> bytes | None:
    """The verdict: the value, or None for absence. Raises VerificationError for neither."""
    try:
        return verify_membership(root, key, proof)
    except VerificationError:
        verify_absence(root, key, proof)
        return None


def test_every_proof_of_every_small_map() -> None:
    for size in range(len(KEYS) + 1):
        for chosen in itertools.combinations(KEYS, size):
            state = {key: b"value of " + key for key in chosen}
            storage = MemoryStorage()
            update = add_height(storage, 0, state)
            assert update.root == root_of(state)
            with storage.read() as transaction:
                opened = open_state(transaction)
                for key in KEYS:
                    proof = opened.prove(key)
                    encoded = proof.to_bytes()
                    assert encoded == proof_of(state, key)
                    assert StateProof.from_bytes(encoded) == proof
                    if key in state:
                        assert verify_membership(update.root, key, proof) == state[key]
                        verify_membership(update.root, key, proof, state[key])
                        with pytest.raises(VerificationError, match="is there"):
                            verify_absence(update.root, key, proof)
                    else:
                        verify_absence(update.root, key, proof)
                        with pytest.raises(VerificationError, match="another key"):
                            verify_membership(update.root, key, proof)


STATE = {b"account %d" % number: b"%d coins" % number for number in range(300)}
HERE, AWAY = b"account 7", b"nobody"


@pytest.fixture(scope="module")
def root() -> bytes:
    return root_of(STATE)


@pytest.fixture(scope="module")
def membership() -> StateProof:
    return StateProof.from_bytes(proof_of(STATE, HERE))


@pytest.fixture(scope="module")
def absence() -> StateProof:
    return StateProof.from_bytes(proof_of(STATE, AWAY))


@pytest.mark.parametrize(("key", "value"), [(HERE, STATE[HERE]), (AWAY, None)])
def test_every_byte_of_a_proof_counts(root: bytes, key: bytes, value: bytes | None) -> None:
    good = proof_of(STATE, key)
    assert holds(root, key, StateProof.from_bytes(good)) == value
    for at, flip in itertools.product(range(len(good)), (1, 0x80, 0xFF)):
        bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            holds(root, key, StateProof.from_bytes(bad))


@pytest.mark.parametrize("key", [HERE, AWAY])
def test_no_part_of_a_proof_is_a_proof(key: bytes) -> None:
    good = proof_of(STATE, key)
    for size in range(len(good)):
        with pytest.raises(MalformedError):
            StateProof.from_bytes(good[:size])
    for tail in (b"\x00", b"\x01", good):
        with pytest.raises(MalformedError):
            StateProof.from_bytes(good + tail)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_one_proof_or_none(data: bytes) -> None:
    for candidate in (data, b"\x01" + data, b"\x01\x00\x01" + data):
        try:
            proof = StateProof.from_bytes(candidate)
        except MalformedError:
            continue
        assert proof.to_bytes() == candidate


def test_another_root_key_or_value_is_refused(
    root: bytes, membership: StateProof, absence: StateProof
) -> None:
    for other in (bytes(32), ROOT, root[:-1] + bytes([root[-1] ^ 1])):
        with pytest.raises(VerificationError, match="lead to the root"):
            verify_membership(other, HERE, membership)
        with pytest.raises(VerificationError, match="lead to the root"):
            verify_absence(other, AWAY, absence)
    with pytest.raises(VerificationError, match="another value"):
        verify_membership(root, HERE, membership, b"8 coins")
    with pytest.raises(VerificationError, match="another key"):
        verify_membership(root, b"account 8", membership)


@pytest.mark.parametrize("bad", [b"", b"r" * 31, b"r" * 33])
def test_a_root_is_32_bytes(bad: bytes, membership: StateProof, absence: StateProof) -> None:
    with pytest.raises(MalformedError, match="root"):
        verify_membership(bad, HERE, membership)
    with pytest.raises(MalformedError, match="root"):
        verify_absence(bad, AWAY, absence)


def test_the_empty_key_is_no_question(root: bytes, absence: StateProof) -> None:
    with pytest.raises(MalformedError, match="keys are"):
        verify_absence(root, b"", absence)


# Absence cannot be forged


def test_a_present_key_has_no_proof_of_absence_with_any_other_leaf(root: bytes) -> None:
    """The true way to any other leaf, told as the way to a key that is there."""
    for other in list(STATE)[:60]:
        if other == HERE:
            continue
        with pytest.raises(VerificationError):
            verify_absence(root, HERE, StateProof.from_bytes(proof_of(STATE, other)))


def test_the_way_to_another_leaf_without_the_steps_that_tell_them_apart(root: bytes) -> None:
    for other in list(STATE)[:30]:
        if other == HERE:
            continue
        proof = StateProof.from_bytes(proof_of(STATE, other))
        shared = tuple(s for s in proof.steps if bits_of(other)[s[0]] == bits_of(HERE)[s[0]])
        with pytest.raises(VerificationError, match="lead to the root"):
            verify_absence(root, HERE, StateProof(shared, proof.leaf))
        # The bits of the others told wrong, so that both agree on every one of them.
        agreed = [i for i in range(256) if bits_of(other)[i] == bits_of(HERE)[i]]
        moved = tuple((agreed[place], sibling) for place, (_, sibling) in enumerate(proof.steps))
        with pytest.raises(VerificationError, match="lead to the root"):
            verify_absence(root, HERE, StateProof(moved, proof.leaf))


def test_every_step_left_out_doubled_or_exchanged(root: bytes, absence: StateProof) -> None:
    steps, leaf = absence.steps, absence.leaf
    assert len(steps) > 5
    for at in range(len(steps)):
        with pytest.raises(VerificationError):
            verify_absence(root, AWAY, StateProof(steps[:at] + steps[at + 1 :], leaf))
        with pytest.raises(MalformedError, match="increase"):
            StateProof(steps[: at + 1] + steps[at:], leaf)
        if at:
            above, here = steps[at - 1], steps[at]
            with pytest.raises(MalformedError, match="increase"):
                StateProof((*steps[: at - 1], here, above, *steps[at + 1 :]), leaf)
            exchanged = ((above[0], here[1]), (here[0], above[1]))
            with pytest.raises(VerificationError):
                swapped = (*steps[: at - 1], *exchanged, *steps[at + 1 :])
                verify_absence(root, AWAY, StateProof(swapped, leaf))


def test_a_leaf_in_a_wrong_place_proves_nothing() -> None:
    """A root that its maker built with two leaves exchanged: it hides both, or neither."""
    one, two = b"one", b"two"
    bit = next(i for i in range(256) if bits_of(one)[i] != bits_of(two)[i])
    leaves = {key: leaf_hash(key, b"1") for key in (one, two)}
    left, right = sorted(leaves, key=lambda key: bits_of(key)[bit], reverse=True)
    lying = inner_hash(bit, leaves[left], leaves[right])
    for asked, found in ((one, two), (two, one)):
        proof = StateProof(((bit, leaves[asked]),), (found, b"1"))
        with pytest.raises(VerificationError, match="not the way to this one"):
            verify_absence(lying, asked, proof)
        with pytest.raises(ValueError, match="leads elsewhere"):
            verify_state.check(lying, asked, proof.to_bytes())
        own = StateProof(((bit, leaves[found]),), (asked, b"1"))
        with pytest.raises(VerificationError, match="lead to the root"):
            verify_membership(lying, asked, own)


def test_an_inner_node_is_no_leaf(root: bytes) -> None:
    """A leaf whose bytes are those of an inner node: the prefix tells them apart."""
    proof = StateProof.from_bytes(proof_of(STATE, AWAY))
    bit, sibling = proof.steps[0]
    with pytest.raises((VerificationError, MalformedError)):
        verify_absence(root, AWAY, StateProof((), (bytes([bit]), sibling)))


def test_absence_in_a_map_of_one_key() -> None:
    root = leaf_hash(b"only", b"1")
    alone = StateProof((), (b"only", b"1"))
    verify_absence(root, AWAY, alone)
    assert verify_membership(root, b"only", alone) == b"1"
    with pytest.raises(VerificationError, match="lead to the root"):
        verify_absence(root, AWAY, StateProof((), (b"only", b"2")))


def test_absence_in_the_empty_map(root: bytes) -> None:
    nothing = StateProof((), None)
    assert nothing.to_bytes() == b"\x01\x00\x00"
    verify_absence(bytes(32), AWAY, nothing)
    with pytest.raises(VerificationError, match="not empty"):
        verify_absence(root, AWAY, nothing)
    with pytest.raises(VerificationError, match="another key"):
        verify_membership(bytes(32), AWAY, nothing)
    with pytest.raises(MalformedError, match="no leaf"):
        StateProof(((0, ROOT),), None)


# The form


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "version"),
        (b"\x00\x00\x00", "version"),
        (b"\x02\x00\x00", "version"),
        (b"\x01", "varint"),
        (b"\x01\x80\x00\x00", "longer than it need be"),
        (b"\x01\x81\x02" + bytes(9), "257 steps"),
        (b"\x01\xff\xff\xff\xff\x0f", "steps"),
        (b"\x01\xff\xff\xff\xff\xff\x01", "more than 5"),
        (b"\x01\x01\x00" + ROOT + b"\x00", "no leaf"),
        (b"\x01\x00\x02", "unknown kind"),
        (b"\x01\x00\x00\x00", "follow"),
        (b"\x01\x00\x01\x81\x00k\x00", "longer than it need be"),
        (b"\x01\x00\x01\x01k\x80\x00", "longer than it need be"),
        (b"\x01\x00\x01\x00\x00", "keys are"),
        (b"\x01\x00\x01\x01k\x00v", "after its end"),
        (b"\x01\x02\x05" + ROOT + b"\x05" + ROOT + b"\x01\x01k\x00", "increase"),
        (b"\x01\x02\x05" + ROOT + b"\x04" + ROOT + b"\x01\x01k\x00", "increase"),
    ],
)
def test_bytes_that_are_no_proof(data: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        StateProof.from_bytes(data)


@pytest.mark.parametrize(
    "steps",
    [
        ((-1, ROOT),),
        ((256, ROOT),),
        ((0, ROOT[1:]),),
        ((0, ROOT + b"x"),),
        tuple((bit, ROOT) for bit in range(257)),
    ],
)
def test_steps_that_no_bytes_can_say(steps: tuple[tuple[int, bytes], ...]) -> None:
    with pytest.raises(MalformedError):
        StateProof(steps, (b"k", b"v"))


def test_the_longest_way_there_can_be() -> None:
    """Nobody can find keys for it; the verifier would follow it all the same."""
    node = leaf_hash(b"k", b"v")
    path, siblings = bits_of(b"k"), [bytes([bit]) * 32 for bit in range(256)]
    for bit in range(255, -1, -1):
        pair = (node, siblings[bit]) if path[bit] == "0" else (siblings[bit], node)
        node = inner_hash(bit, *pair)
    proof = StateProof(tuple(enumerate(siblings)), (b"k", b"v"))
    assert verify_membership(node, b"k", StateProof.from_bytes(proof.to_bytes())) == b"v"


def test_a_prover_of_a_large_map_says_what_the_definition_says() -> None:
    storage = MemoryStorage()
    add_height(storage, 0, STATE)

    with storage.read() as transaction:
        opened = open_state(transaction)
        for key in [*list(STATE)[:30], *(b"not there %d" % i for i in range(30))]:
            assert opened.prove(key).to_bytes() == proof_of(STATE, key)
            assert opened.get(key) == STATE.get(key)
