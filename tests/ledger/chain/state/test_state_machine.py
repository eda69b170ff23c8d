"""Random blocks, prunings and openings against a dictionary and the definition."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.chain.state.bucket import bucket_root
from ledger.chain.state.check import check_height, check_state
from ledger.chain.state.proof import StateProof, verify_absence, verify_membership
from ledger.chain.state.store import heights, open_state
from ledger.errors import NotFoundError
from ledger.storage import Storage
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.state.chain_store import add_height, applied, forget_before, new_store
from tests.ledger.chain.state.crowded_keys import mixed_keys
from tests.ledger.chain.state.naive_state import proof_of, root_of

KEYS = mixed_keys()
SOME_KEYS = st.lists(st.sampled_from(KEYS), max_size=40)
VALUES = st.one_of(st.none(), st.binary(max_size=3), st.just(b"long" * 60))


class StateMachine(RuleBasedStateMachine):
    """``past[h]`` is what the state at height h must be."""

    storage: Storage

    @initialize(first=st.integers(0, 3), changes=st.dictionaries(st.sampled_from(KEYS), VALUES))
    def begin(self, first: int, changes: dict[bytes, bytes | None]) -> None:
        self.make_store()
        self.first = self.newest = first
        self.past = {first: applied({}, changes)}
        assert add_height(self.storage, first, changes).root == root_of(self.past[first])

    def make_store(self) -> None:
        self.storage = MemoryStorage()

    def block(self, changes: dict[bytes, bytes | None]) -> None:
        update = add_height(self.storage, self.newest + 1, changes)
        after = applied(self.past[self.newest], changes)
        self.newest += 1
        self.past[self.newest] = after
        assert update.root == root_of(after)

    @rule(changes=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=60))
    def change_some(self, changes: dict[bytes, bytes | None]) -> None:
        self.block(changes)

    @rule(keys=SOME_KEYS, value=st.binary(max_size=2))
    def write_many(self, keys: list[bytes], value: bytes) -> None:
        self.block(dict.fromkeys(keys, value))

    @rule(keys=SOME_KEYS)
    def delete_many(self, keys: list[bytes]) -> None:
        self.block(dict.fromkeys(keys))

    @rule(kept=st.integers(0, 4))
    def empty_it(self, kept: int) -> None:
        self.block(dict.fromkeys(list(self.past[self.newest])[kept:]))

    @rule()
    def change_nothing(self) -> None:
        self.block(dict(self.past[self.newest]))

    @rule(behind=st.integers(0, 5))
    def prune(self, behind: int) -> None:
        oldest = max(self.newest - behind, self.first)
        forget_before(self.storage, oldest)
        self.past = {h: state for h, state in self.past.items() if h >= oldest or h == self.newest}
        self.first = min(self.past)

    @rule(height=st.integers(0, 40), keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=6))
    def look(self, height: int, keys: list[bytes]) -> None:
        height = self.first + height % (self.newest - self.first + 1)
        state = self.past[height]
        with self.storage.read() as transaction:
            opened = open_state(transaction, height)
            assert opened.root == root_of(state)
            for key in keys:
                encoded = opened.prove(key).to_bytes()
                assert encoded == proof_of(state, key)
                proof = StateProof.from_bytes(encoded)
                assert opened.get(key) == state.get(key)
                if key in state:
                    assert verify_membership(opened.root, key, proof) == state[key]
                else:
                    verify_absence(opened.root, key, proof)

    @rule(height=st.integers(0, 40))
    def look_outside(self, height: int) -> None:
        with self.storage.read() as transaction:
            try:
                open_state(transaction, height)
            except NotFoundError:
                assert not self.first <= height <= self.newest
            else:
                assert self.first <= height <= self.newest

    @rule(height=st.integers(0, 40))
    def read_all(self, height: int) -> None:
        height = self.first + height % (self.newest - self.first + 1)
        with self.storage.read() as transaction:
            opened = open_state(transaction, height)
            assert dict(opened.items()) == self.past[height]
            assert bucket_root(list(opened.nodes.leaves())) == opened.root
            check_height(transaction, height)

    @invariant()
    def is_sound(self) -> None:
        with self.storage.read() as transaction:
            check_state(transaction)
            kept = heights(transaction)
            assert kept is not None
            assert (kept.oldest, kept.newest) == (self.first, self.newest)


class LmdbStateMachine(StateMachine):
    """The same in files."""

    def make_store(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quipu-state-"))
        self.storage = new_store(self.folder)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.storage.close()
            shutil.rmtree(self.folder)


TestInMemory = StateMachine.TestCase
TestInMemory.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestInFiles = LmdbStateMachine.TestCase
TestInFiles.settings = settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
