"""Proof files: one form for one content."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import MalformedError
from ledger.note import NoteSigner, sign_note
from ledger.tlog_proof import MAX_PATH, TlogProof

SIGNER = NoteSigner("example.com/robot", PrivateKey.from_seed(b"r" * 32))
NOTE = sign_checkpoint(Checkpoint("example.com/robot", 42, bytes(32)), [SIGNER])
PROOF = TlogProof(7, (bytes(32), b"\x01" * 32), NOTE, b"extra data")
HASH = "A" * 43 + "="


def test_the_layout_is_that_of_the_specification() -> None:
    assert PROOF.encode() == (
        b"c2sp.org/tlog-proof@v1\nextra ZXh0cmEgZGF0YQ==\nindex 7\n"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        b"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\n" + NOTE
    )


@pytest.mark.parametrize(
    "head",
    [
        "",
        "index 7",
        "C2SP.org/tlog-proof@v1\nindex 7",
        "c2sp.org/tlog-proof@v2\nindex 7",
        "c2sp.org/tlog-proof@v1 \nindex 7",
        "c2sp.org/tlog-proof@v1\r\nindex 7",
        "\nc2sp.org/tlog-proof@v1\nindex 7",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\nindex",
        "c2sp.org/tlog-proof@v1\nindex ",
        "c2sp.org/tlog-proof@v1\nindex 07",
        "c2sp.org/tlog-proof@v1\nindex -7",
        "c2sp.org/tlog-proof@v1\nindex  7",
        "c2sp.org/tlog-proof@v1\nindex 7 ",
        "c2sp.org/tlog-proof@v1\nindex 9223372036854775808",
        "c2sp.org/tlog-proof@v1\nINDEX 7",
        "c2sp.org/tlog-proof@v1\nextra AA==",
        "c2sp.org/tlog-proof@v1\nextra\nindex 7",
        "c2sp.org/tlog-proof@v1\nextra \nindex 7",
        "c2sp.org/tlog-proof@v1\nextra AB==\nindex 7",
        "c2sp.org/tlog-proof@v1\nextra AA\nindex 7",
        "c2sp.org/tlog-proof@v1\nextra AA==\nextra AA==\nindex 7",
        "c2sp.org/tlog-proof@v1\nindex 7\nextra AA==",
        "c2sp.org/tlog-proof@v1\nindex 7\nindex 7",
        "c2sp.org/tlog-proof@v1\nindex 7\nAAAA",
        f"c2sp.org/tlog-proof@v1\nindex 7\n{HASH} ",
        f"c2sp.org/tlog-proof@v1\n{HASH}\nindex 7",
        f"c2sp.org/tlog-proof@v1\nindex 7\n{'A' * 42}B=",
        "c2sp.org/tlog-proof@v1\nindex 7" + f"\n{HASH}" * (MAX_PATH + 1),
        "c2sp.org/tlog-proof@v1\nindex ７",
    ],
)
def test_a_head_of_a_wrong_form_is_refused(head: str) -> None:
    assert TlogProof.parse(b"c2sp.org/tlog-proof@v1\nindex 7\n\n" + NOTE).extra is None
    with pytest.raises(MalformedError):
        TlogProof.parse(head.encode() + b"\n\n" + NOTE)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n" + NOTE,
        NOTE + b"\n",
        NOTE + b"x",
        NOTE[:-1],
        b"text\n",
        sign_note("t\n", [SIGNER]),
    ],
)
def test_what_follows_must_be_one_signed_checkpoint(note: bytes) -> None:
    with pytest.raises(MalformedError):
        TlogProof.parse(b"c2sp.org/tlog-proof@v1\nindex 7\n\n" + note)


def test_every_truncation_is_refused() -> None:
    proof = PROOF.encode()
    for end in range(len(proof)):
        with pytest.raises(MalformedError):
            TlogProof.parse(proof[:end])


def test_every_changed_byte_changes_the_proof_or_is_refused() -> None:
    proof = PROOF.encode()
    for position in range(len(proof)):
        for mask in (0x01, 0x20, 0x80):
            changed = bytearray(proof)
            changed[position] ^= mask
            try:
                parsed = TlogProof.parse(bytes(changed))
            except MalformedError:
                continue
            assert parsed != PROOF
            assert parsed.encode() == bytes(changed)


@pytest.mark.parametrize(
    ("index", "path", "extra"),
    [
        (-1, (), None),
        (2**63, (), None),
        (0, (bytes(31),), None),
        (0, (bytes(33),), None),
        (0, (bytes(32),) * 64, None),
        (0, (), b""),
    ],
)
def test_a_proof_that_could_not_be_read_again_is_not_made(
    index: int, path: tuple[bytes, ...], extra: bytes | None
) -> None:
    with pytest.raises(MalformedError):
        TlogProof(index, path, NOTE, extra)


@settings(max_examples=60, deadline=None)
@given(
    index=st.integers(0, 2**63 - 1),
    path=st.lists(st.binary(min_size=32, max_size=32), max_size=MAX_PATH).map(tuple),
    extra=st.none() | st.binary(min_size=1, max_size=300),
)
def test_proofs_round_trip(index: int, path: tuple[bytes, ...], extra: bytes | None) -> None:
    proof = TlogProof(index, path, NOTE, extra)
    assert TlogProof.parse(proof.encode()) == proof
