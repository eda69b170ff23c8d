"""Which keys may sign, entry by entry."""

from __future__ import annotations

import dataclasses

import pytest

from ledger.ed25519 import PrivateKey
from ledger.errors import MalformedError, VerificationError
from ledger.experience.entry import (
    Erasure,
    KeyRetirement,
    KeyRotation,
    Kind,
    encode_entry,
    parse_entry,
)
from ledger.experience.key_history import KeyHistory, rotate_to

LOG_ID = bytes(range(32))
OLD, NEW, OTHER = (PrivateKey.from_seed(bytes([n]) * 32) for n in range(3))
SOMETHING = Erasure((b"i" * 16,))


def public(key: PrivateKey) -> bytes:
    return bytes(key.public_key)


def history_of(*steps: tuple[Kind, PrivateKey]) -> KeyHistory:
    history = KeyHistory(LOG_ID, public(OLD))
    for kind, key in steps:
        accept(history, kind, key)
    return history


def accept(history: KeyHistory, kind: Kind, key: PrivateKey) -> None:
    index = history.size
    history.accept(parse_entry(encode_entry(LOG_ID, index, kind, key)), index)


def rotation(index: int) -> KeyRotation:
    return rotate_to(NEW, LOG_ID, index, OLD.public_key)


def test_both_keys_sign_until_one_retires() -> None:
    history = history_of((SOMETHING, OLD), (rotation(1), OLD), (SOMETHING, NEW), (SOMETHING, OLD))
    assert history.keys == {public(OLD), public(NEW)}
    accept(history, KeyRetirement(public(OLD)), NEW)
    assert history.keys == {public(NEW)}
    with pytest.raises(VerificationError, match="not valid there"):
        accept(history, SOMETHING, OLD)
    accept(history, SOMETHING, NEW)
    assert history.size == 6


def test_a_new_key_does_not_sign_its_own_rotation() -> None:
    with pytest.raises(VerificationError, match="not valid there"):
        history_of((rotation(0), NEW))


@pytest.mark.parametrize("change", ["log", "sequence", "old key", "signature"])
def test_a_rotation_needs_the_new_keys_signature_over_just_this(change: str) -> None:
    made = {
        "log": rotate_to(NEW, bytes(32), 0, OLD.public_key),
        "sequence": rotation(1),
        "old key": rotate_to(NEW, LOG_ID, 0, OTHER.public_key),
        "signature": dataclasses.replace(rotation(0), new_signature=bytes(64)),
    }[change]
    history = KeyHistory(LOG_ID, public(OLD))
    with pytest.raises(VerificationError, match="did not sign"):
        accept(history, made, OLD)
    assert history.keys == {public(OLD)}
    assert history.size == 0
    accept(history, rotation(0), OLD)


def test_a_small_order_key_cannot_be_brought_in() -> None:
    weak = KeyRotation(b"\x01" + bytes(31), b"\x01" + bytes(63))
    with pytest.raises(VerificationError):
        history_of((weak, OLD))


def test_keys_do_not_come_back() -> None:
    history = history_of((rotation(0), OLD), (KeyRetirement(public(OLD)), OLD))
    with pytest.raises(VerificationError, match="had before"):
        accept(history, rotate_to(OLD, LOG_ID, 2, NEW.public_key), NEW)


def test_one_key_always_stays() -> None:
    with pytest.raises(VerificationError, match="only key"):
        history_of((KeyRetirement(public(OLD)), OLD))
    with pytest.raises(VerificationError, match="not valid"):
        history_of((KeyRetirement(public(NEW)), OLD))


def test_index_and_sequence_must_be_the_next() -> None:
    history = KeyHistory(LOG_ID, public(OLD))
    entry = parse_entry(encode_entry(LOG_ID, 1, SOMETHING, OLD))
    for index in (0, 1):
        with pytest.raises(VerificationError):
            history.accept(entry, index)


def test_the_first_key_must_be_one() -> None:
    with pytest.raises(MalformedError):
        KeyHistory(LOG_ID, bytes(32))
