"""Proofs said once verify for ever, here and by the stand-alone program."""

from __future__ import annotations

import json

from ledger.chain.state.proof import StateProof, verify_absence, verify_membership
from tests.independent import verify_state
from tests.ledger.chain.state.chain_store import applied
from tests.ledger.chain.state.frozen import generate
from tests.ledger.chain.state.naive_state import root_of

FROZEN = json.loads(generate.FROZEN.read_text())


def test_frozen_proofs_verify() -> None:
    present = absent = 0
    for height in FROZEN:
        root = bytes.fromhex(height["root"])
        for answer in height["answers"]:
            key, data = bytes.fromhex(answer["key"]), bytes.fromhex(answer["proof"])
            proof = StateProof.from_bytes(data)
            if answer["value"] is None:
                absent += 1
                verify_absence(root, key, proof)
                assert verify_state.check(root, key, data) is None
            else:
                present += 1
                value = bytes.fromhex(answer["value"])
                assert verify_membership(root, key, proof) == value
                assert verify_state.check(root, key, data) == value
    assert (present, absent) == (5, 16)


def test_frozen_roots_are_those_of_the_definition() -> None:
    state: dict[bytes, bytes] = {}
    for changes, height in zip(generate.BLOCKS, FROZEN, strict=True):
        state = applied(state, changes)
        assert root_of(state).hex() == height["root"]


def test_we_still_write_the_same_bytes() -> None:
    assert generate.build() == FROZEN
