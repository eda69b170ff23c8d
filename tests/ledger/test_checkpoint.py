"""Checkpoints: who may sign them, what they must look like."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, log_id, open_checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import MalformedError, RefusedError, VerificationError
from ledger.note import (
    CosignatureSigner,
    KeyKind,
    NoteSigner,
    SignedNote,
    VerifierKey,
    sign_note,
)

ORIGIN = "example.com/robot"
OLD = NoteSigner(ORIGIN, PrivateKey.from_seed(b"1" * 32))
NEW = NoteSigner(ORIGIN, PrivateKey.from_seed(b"2" * 32))
STRANGER = NoteSigner("example.com/stranger", PrivateKey.from_seed(b"3" * 32))
WITNESSES = [
    CosignatureSigner(f"witness{i}.example", PrivateKey.from_seed(bytes([100 + i]) * 32))
    for i in range(20)
]
CHECKPOINT = Checkpoint(ORIGIN, 42, hashlib.sha256(b"root").digest())


@pytest.fixture(scope="module")
def public(vectors: Path) -> Any:
    return json.loads((vectors / "c2sp" / "notes_and_checkpoints.json").read_text())


def test_public_bodies_are_accepted_and_refused(public: Any) -> None:
    verdicts = []
    for case in public["checkpoint_bodies"]:
        if case["ok"]:
            assert Checkpoint.parse(case["text"]).encode() == case["text"], case["desc"]
        else:
            with pytest.raises(MalformedError):
                Checkpoint.parse(case["text"])
        verdicts.append(case["ok"])
    assert (verdicts.count(True), verdicts.count(False)) == (2, 6)


def test_public_sigsum_style_checkpoint_opens(public: Any) -> None:
    case = next(case for case in public["signed_notes"] if "sigsum" in case["name"])
    verified = open_checkpoint(case["note"].encode(), [VerifierKey.parse(case["vkeys"][0])])
    assert verified.checkpoint.size == 1
    assert verified.checkpoint.root == bytes([42]) + bytes(31)


def test_a_key_that_is_not_named_like_the_origin_is_not_the_logs(public: Any) -> None:
    """Go's checksum database signs as sum.golang.org for "go.sum database tree"."""
    case = next(case for case in public["signed_notes"] if "production" in case["name"])
    with pytest.raises(VerificationError, match="origin"):
        open_checkpoint(case["note"].encode(), [VerifierKey.parse(case["vkeys"][0])])
    with pytest.raises(VerificationError, match="origin"):
        open_checkpoint(sign_note(CHECKPOINT.encode(), [STRANGER]), [STRANGER.verifier_key])
    with pytest.raises(RefusedError):
        sign_checkpoint(CHECKPOINT, [STRANGER])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "o\n1\n",
        "o\n1\n{root}",
        "o\n1\n{root}\n\n",
        "o\n1\n{root}\nextension\n",
        "o\n1\n\n{root}\n",
        "\n1\n{root}\n",
        "o\n01\n{root}\n",
        "o\n+1\n{root}\n",
        "o\n-1\n{root}\n",
        "o\n 1\n{root}\n",
        "o\n\n{root}\n",
        "o\n1.0\n{root}\n",
        "o\n9223372036854775808\n{root}\n",
        "o\n1\n{root} \n",
        "o\n1\nAAAA\n",
        "o\n1\n\n",
        "o\t\n1\n{root}\n",
        "o\r\n1\r\n{root}\r\n",
    ],
)
def test_a_text_of_a_wrong_form_is_refused(text: str) -> None:
    root = "qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs="
    assert Checkpoint.parse(f"o\n1\n{root}\n").size == 1
    with pytest.raises(MalformedError):
        Checkpoint.parse(text.format(root=root))


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, bytes(32)),
        ("two\nlines", 1, bytes(32)),
        ("bell\a", 1, bytes(32)),
        ("\udc80", 1, bytes(32)),
        ("o", -1, bytes(32)),
        ("o", 2**63, bytes(32)),
        ("o", 1, bytes(31)),
        ("o", 1, bytes(33)),
    ],
)
def test_a_checkpoint_that_could_not_be_read_again_is_not_made(
    origin: str, size: int, root: bytes
) -> None:
    with pytest.raises(MalformedError):
        Checkpoint(origin, size, root)


def test_every_changed_byte_of_a_cosigned_checkpoint_is_refused() -> None:
    text = CHECKPOINT.encode()
    cosignature = WITNESSES[0].sign(text, 1_700_000_000)
    note = sign_note(text, [], existing=[OLD.sign(text), cosignature])
    log_keys, witness_keys = [OLD.verifier_key], [WITNESSES[0].verifier_key]
    unchanged = open_checkpoint(note, log_keys, witness_keys)
    assert (len(unchanged.log_signatures), len(unchanged.cosignatures)) == (1, 1)
    refused = unknown = 0
    for position in range(len(note)):
        for mask in (0x01, 0x80):
            changed = bytearray(note)
            changed[position] ^= mask
            try:
                verified = open_checkpoint(bytes(changed), log_keys, witness_keys)
            except (MalformedError, VerificationError):
                refused += 1
                continue
            # What passes has turned the witness's line into a stranger's: it counts no more.
            assert verified.checkpoint == CHECKPOINT
            assert verified.cosignatures == ()
            unknown += 1
    assert refused > 10 * unknown > 0


def test_both_keys_sign_during_a_rotation_in_any_order() -> None:
    for signers in ([OLD, NEW], [NEW, OLD]):
        note = sign_checkpoint(CHECKPOINT, signers)
        both = open_checkpoint(note, [OLD.verifier_key, NEW.verifier_key])
        assert [item.key for item in both.log_signatures] == [s.verifier_key for s in signers]
        for signer in signers:
            alone = open_checkpoint(note, [signer.verifier_key])
            assert [item.key for item in alone.log_signatures] == [signer.verifier_key]


def test_the_logs_signature_may_stand_last_of_many() -> None:
    text = CHECKPOINT.encode()
    lines = [witness.sign(text, 5) for witness in WITNESSES]
    note = sign_note(text, [OLD], existing=lines)
    verified = open_checkpoint(
        note, [OLD.verifier_key], [witness.verifier_key for witness in WITNESSES]
    )
    assert [item.key.name for item in verified.cosignatures] == [w.name for w in WITNESSES]
    assert {item.time_s for item in verified.cosignatures} == {5}
    assert verified.note == note


def test_cosignatures_do_not_replace_the_logs_signature() -> None:
    text = CHECKPOINT.encode()
    note = SignedNote(text, (WITNESSES[0].sign(text, 5),)).encode()
    with pytest.raises(VerificationError, match="origin"):
        open_checkpoint(note, [OLD.verifier_key], [WITNESSES[0].verifier_key])


def test_a_key_of_another_log_does_not_vouch_for_this_one() -> None:
    """One list of trusted keys may serve several logs."""
    keys = [OLD.verifier_key, STRANGER.verifier_key]
    text = CHECKPOINT.encode()
    with pytest.raises(VerificationError, match="origin"):
        open_checkpoint(sign_note(text, [STRANGER]), keys)
    assert len(open_checkpoint(sign_note(text, [STRANGER, OLD]), keys).log_signatures) == 1


def test_roles_and_types_of_keys_are_kept_apart() -> None:
    note = sign_checkpoint(CHECKPOINT, [OLD])
    witness = WITNESSES[0].verifier_key
    same_key = VerifierKey(ORIGIN, KeyKind.COSIGNATURE_V1, OLD.private_key.public_key)
    twin = VerifierKey("twin.example", KeyKind.COSIGNATURE_V1, witness.public_key)
    for log_keys, witness_keys in (
        ([witness], []),
        ([OLD.verifier_key], [OLD.verifier_key]),
        ([OLD.verifier_key], [same_key]),
        ([OLD.verifier_key], [witness, twin]),
    ):
        with pytest.raises(RefusedError):
            open_checkpoint(note, log_keys, witness_keys)
    open_checkpoint(note, [OLD.verifier_key], [witness, witness])


def test_no_keys_open_nothing() -> None:
    with pytest.raises(VerificationError):
        open_checkpoint(sign_checkpoint(CHECKPOINT, [OLD]), [])


def test_log_id_is_bound_to_the_origin() -> None:
    assert log_id("a") == hashlib.sha256(b"quipu/log/v1\0a").digest()
    assert log_id("é") == hashlib.sha256("quipu/log/v1\0é".encode()).digest()
    with pytest.raises(MalformedError):
        log_id("\udc80")


@given(
    origin=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    size=st.integers(0, 2**63 - 1),
    root=st.binary(min_size=32, max_size=32),
)
def test_checkpoints_round_trip(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert Checkpoint.parse(checkpoint.encode()) == checkpoint
