"""Entries signed once verify for ever."""

from __future__ import annotations

import json
from hashlib import sha256

from ledger.checkpoint import log_id
from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_leaf,
    content_root_of_leaves,
    leaves_of_chunks,
    rechunk,
)
from ledger.experience.disclosure import parse_disclosure
from ledger.experience.entry import Experience, parse_entry, verify_entry
from ledger.experience.key_history import KeyHistory
from ledger.merkle.inclusion import verify_inclusion
from tests.ledger.experience.frozen import generate

FROZEN = json.loads(generate.FROZEN.read_text())
ENTRIES = [bytes.fromhex(entry) for entry in FROZEN["entries"]]


def test_frozen_entries_verify() -> None:
    identity = bytes.fromhex(FROZEN["log_id"])
    assert log_id(FROZEN["origin"]) == identity
    history = KeyHistory(identity, bytes.fromhex(FROZEN["first_key"]))
    for index, encoded in enumerate(ENTRIES):
        entry = parse_entry(encoded)
        verify_entry(entry, identity)
        history.accept(entry, index)
        assert sha256(b"\0" + encoded).hexdigest() == FROZEN["leaf_hashes"][index]
    assert history.keys == {bytes(generate.NEW.public_key)}


def test_frozen_content_root_verifies() -> None:
    experience = parse_entry(ENTRIES[0]).kind
    assert isinstance(experience, Experience)
    salt_key = bytes.fromhex(FROZEN["salt_key"])
    leaves = leaves_of_chunks(salt_key, rechunk([generate.content()]))
    assert [leaf.hex() for leaf in leaves] == FROZEN["chunk_leaves"]
    assert content_root_of_leaves(leaves) == experience.content_root


def test_frozen_disclosure_opens_its_chunk() -> None:
    disclosure = parse_disclosure(bytes.fromhex(FROZEN["disclosure"]))
    assert disclosure.entry == ENTRIES[0]
    experience = parse_entry(disclosure.entry).kind
    assert isinstance(experience, Experience)
    (opened,) = disclosure.chunks
    chunk = generate.content()[CHUNK_SIZE : 2 * CHUNK_SIZE]
    leaf = chunk_leaf(opened.salt, chunk)
    verify_inclusion(leaf, opened.index, 3, opened.path, experience.content_root)


def test_we_still_write_the_same_bytes() -> None:
    assert generate.build() == FROZEN
