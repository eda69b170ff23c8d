"""Signed notes and vkeys: public vectors, every byte corrupted, every rule broken once."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ed25519 import PrivateKey
from ledger.errors import LedgerError, MalformedError, RefusedError, VerificationError
from ledger.note import (
    MAX_NOTE_SIZE,
    MAX_SIGNATURES,
    CosignatureSigner,
    KeyKind,
    NoteSigner,
    SignatureLine,
    SignedNote,
    VerifierKey,
    open_note,
    sign_note,
)

TEXT = "Ognuno sta solo sul cuor della terra\n\ned è subito sera.\n"
LOG = NoteSigner("example.com/log", PrivateKey.from_seed(b"l" * 32))
OTHER = NoteSigner("example.com/other", PrivateKey.from_seed(b"o" * 32))
WITNESS = CosignatureSigner("example.com/witness", PrivateKey.from_seed(b"w" * 32))
NOTE = sign_note(TEXT, [LOG])
LINE = LOG.sign(TEXT).encode()


def numbered(count: int) -> list[NoteSigner]:
    return [NoteSigner(f"key{i}", PrivateKey.from_seed(bytes([i]) * 32)) for i in range(count)]


@pytest.fixture(scope="module")
def public(vectors: Path) -> Any:
    return json.loads((vectors / "c2sp" / "notes_and_checkpoints.json").read_text())


def test_public_notes_open_and_encode_as_they_are(public: Any) -> None:
    assert len(public["signed_notes"]) == 5
    for case in public["signed_notes"]:
        keys = [VerifierKey.parse(vkey) for vkey in case["vkeys"]]
        assert [key.encode() for key in keys] == case["vkeys"]
        opened = open_note(case["note"].encode(), keys)
        assert [signature.key for signature in opened.signatures] == keys, case["name"]
        assert SignedNote.parse(case["note"].encode()).encode() == case["note"].encode()


def test_public_notes_do_not_open_without_their_keys(public: Any) -> None:
    for case in public["signed_notes"]:
        with pytest.raises(VerificationError, match="not signed"):
            open_note(case["note"].encode(), [LOG.verifier_key])


def test_we_sign_as_go_does(public: Any) -> None:
    case = next(case for case in public["signed_notes"] if "skeys" in case)
    # PRIVATE+KEY+<name>+<key id>+base64(0x01 || seed), as golang.org/x/mod writes it.
    name, _, material = case["skeys"][0].removeprefix("PRIVATE+KEY+").split("+", 2)
    signer = NoteSigner(name, PrivateKey.from_seed(base64.b64decode(material)[1:]))
    assert signer.verifier_key.encode() == case["vkeys"][0]
    text = SignedNote.parse(case["note"].encode()).text
    assert signer.sign(text).encode() in case["note"]


def test_public_bad_vkeys_are_refused(public: Any) -> None:
    assert public["bad_vkeys"]
    for description, vkey in public["bad_vkeys"]:
        with pytest.raises(MalformedError, match="verifier key"):
            VerifierKey.parse(vkey)
        assert description


def test_every_changed_byte_of_a_note_is_refused() -> None:
    keys = [LOG.verifier_key]
    assert open_note(NOTE, keys).text == TEXT
    for position in range(len(NOTE)):
        for mask in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(NOTE)
            changed[position] ^= mask
            with pytest.raises((MalformedError, VerificationError)):
                open_note(bytes(changed), keys)


def test_every_truncation_and_extension_of_a_note_is_refused() -> None:
    for end in range(len(NOTE)):
        with pytest.raises((MalformedError, VerificationError)):
            open_note(NOTE[:end], [LOG.verifier_key])
    for tail in (b"\n", b" ", b"x", b"\0", b"\n\n", b"text\n", NOTE):
        with pytest.raises((MalformedError, VerificationError)):
            open_note(NOTE + tail, [LOG.verifier_key])


@pytest.mark.parametrize(
    ("note", "problem"),
    [
        (b"", "empty line"),
        (b"\n\n", "do not end"),
        (b"text\n\n", "do not end"),
        (b"text\n" + LINE.encode(), "empty line"),
        (b"text\n\n" + LINE.encode()[:-1], "do not end"),
        (b"text\n\n\n" + LINE.encode(), "wrong signature"),
        (b"te\xffxt\n\n" + LINE.encode(), "UTF-8"),
        (b"te\xed\xa0\x80xt\n\n" + LINE.encode(), "UTF-8"),
        (b"te\xc0\xafxt\n\n" + LINE.encode(), "UTF-8"),
        (b"te\txt\n\n" + LINE.encode(), "control"),
        (b"te\0xt\n\n" + LINE.encode(), "control"),
        (b"text\r\n\r\n" + LINE.encode(), "empty line"),
        (b"text\r\n\n" + LINE.encode(), "control"),
        (b"text\n\n" + LINE.encode().replace(b"\n", b"\r\n"), "base64"),
        (b"text\n\nno line\n", "em dash"),
        (b"text\n\n- log AAAAAAA=\n", "em dash"),
        ("text\n\n—log AAAAAAA=\n".encode(), "em dash"),
        ("text\n\n — log AAAAAAA=\n".encode(), "em dash"),
        ("text\n\n— log\n".encode(), "no space"),
        ("text\n\n— log \n".encode(), "4 bytes and a signature"),
        ("text\n\n— log AAAAAA==\n".encode(), "4 bytes and a signature"),
        ("text\n\n— log AAAAAAB=\n".encode(), "canonical"),
        ("text\n\n— log AAAAAAA\n".encode(), "base64"),
        ("text\n\n— log AAAAAAA= \n".encode(), "base64"),
        ("text\n\n— log  AAAAAAA=\n".encode(), "base64"),
        ("text\n\n—  AAAAAAA=\n".encode(), "empty"),
        ("text\n\n— l+g AAAAAAA=\n".encode(), "plus"),
        ("text\n\n— l\u00a0g AAAAAAA=\n".encode(), "space"),
        ("text\n\n— l\u2003g AAAAAAA=\n".encode(), "space"),
        ("text\n\n— l\u0085g AAAAAAA=\n".encode(), "space"),
        ("text\n\n— l\u2028g AAAAAAA=\n".encode(), "space"),
        ("text\n\n— l\u3000g AAAAAAA=\n".encode(), "space"),
    ],
)
def test_a_note_of_a_wrong_form_is_refused(note: bytes, problem: str) -> None:
    with pytest.raises(LedgerError, match=problem):
        open_note(note, [LOG.verifier_key])


def test_a_shortest_line_of_an_unknown_key_has_the_right_form() -> None:
    """The cases above break this one in one place each."""
    with pytest.raises(VerificationError, match="not signed"):
        open_note("text\n\n— log AAAAAAA=\n".encode(), [LOG.verifier_key])


def test_the_last_empty_line_ends_the_text() -> None:
    text = f"a\n\n{LINE}\n\nb\n"
    assert open_note(sign_note(text, [LOG]), [LOG.verifier_key]).text == text


def test_a_wrong_signature_of_a_known_key_refuses_the_note_whoever_else_signed() -> None:
    good, wrong = LOG.sign(TEXT), OTHER.sign("another text\n")
    for lines in ((good, wrong), (wrong, good)):
        note = SignedNote(TEXT, lines).encode()
        with pytest.raises(VerificationError, match="wrong signature of known key"):
            open_note(note, [LOG.verifier_key, OTHER.verifier_key])
        # The same line is of no interest to whoever does not know the key.
        assert len(open_note(note, [LOG.verifier_key]).signatures) == 1


def test_name_or_key_id_alone_does_not_make_a_key_known() -> None:
    line = LOG.sign(TEXT)
    for stranger in (
        SignatureLine(line.name, bytes(4), b"not a signature"),
        SignatureLine("example.com/stranger", line.key_id, b"not a signature"),
    ):
        opened = open_note(SignedNote(TEXT, (stranger, line)).encode(), [LOG.verifier_key])
        assert [signature.line for signature in opened.signatures] == [line]
        with pytest.raises(VerificationError, match="not signed"):
            open_note(SignedNote(TEXT, (stranger,)).encode(), [LOG.verifier_key])


@pytest.mark.parametrize("size", [1, 63, 65, 72])
def test_a_known_key_with_a_signature_of_another_length_refuses_the_note(size: int) -> None:
    line = SignatureLine(LOG.name, LOG.verifier_key.key_id, bytes(size))
    with pytest.raises(VerificationError, match="wrong signature"):
        open_note(SignedNote(TEXT, (LOG.sign(TEXT), line)).encode(), [LOG.verifier_key])


def test_a_key_counts_once_and_all_its_lines_must_verify() -> None:
    early, late = WITNESS.sign(TEXT, 1000), WITNESS.sign(TEXT, 2000)
    keys = [LOG.verifier_key, WITNESS.verifier_key]
    opened = open_note(SignedNote(TEXT, (LOG.sign(TEXT), early, late, early)).encode(), keys)
    assert [(item.key, item.time_s) for item in opened.signatures] == [
        (LOG.verifier_key, None),
        (WITNESS.verifier_key, 1000),
    ]
    wrong = SignatureLine(late.name, late.key_id, early.signature[:8] + late.signature[8:])
    with pytest.raises(VerificationError, match="wrong signature"):
        open_note(SignedNote(TEXT, (LOG.sign(TEXT), early, wrong)).encode(), keys)


@pytest.mark.parametrize("count", [1, 16, 17, MAX_SIGNATURES])
def test_many_signatures_are_accepted_up_to_the_limit(count: int) -> None:
    signers = numbered(count)
    note = sign_note(TEXT, signers)
    opened = open_note(note, [signer.verifier_key for signer in signers])
    assert len(opened.signatures) == count
    # The one known key may stand anywhere.
    for signer in (signers[0], signers[-1]):
        assert open_note(note, [signer.verifier_key]).signatures[0].key == signer.verifier_key


def test_more_signatures_than_the_limit_are_refused() -> None:
    signers = numbered(MAX_SIGNATURES + 1)
    with pytest.raises(MalformedError, match="64"):
        sign_note(TEXT, signers)
    note = f"{TEXT}\n{''.join(signer.sign(TEXT).encode() for signer in signers)}".encode()
    with pytest.raises(MalformedError, match="more than 64"):
        open_note(note, [signers[0].verifier_key])


def test_a_note_beyond_the_size_limit_is_refused() -> None:
    fits = "x" * (MAX_NOTE_SIZE - len(LINE.encode()) - 2) + "\n"
    assert len(sign_note(fits, [LOG])) == MAX_NOTE_SIZE
    assert open_note(sign_note(fits, [LOG]), [LOG.verifier_key]).text == fits
    with pytest.raises(MalformedError, match="longer"):
        sign_note("x" + fits, [LOG])
    with pytest.raises(MalformedError, match="longer"):
        SignedNote.parse(b"x" + sign_note(fits, [LOG]))


@pytest.mark.parametrize("text", ["", "no newline", "\r\n", "\x1f\n", "\udc80\n"])
def test_a_text_that_cannot_be_a_notes_is_not_signed(text: str) -> None:
    with pytest.raises(MalformedError):
        sign_note(text, [LOG])


def test_signing_again_replaces_a_signers_own_line_only() -> None:
    lines = (OTHER.sign(TEXT), LOG.sign("older text\n"))
    note = sign_note(TEXT, [LOG], existing=lines)
    opened = open_note(note, [LOG.verifier_key, OTHER.verifier_key])
    assert [item.key for item in opened.signatures] == [OTHER.verifier_key, LOG.verifier_key]


def test_keys_that_share_name_and_key_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real collisions take 2^32 keys to find; the 4-byte hash is stood in for."""
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda _: b"same"))
    one = VerifierKey("name", KeyKind.ED25519, LOG.private_key.public_key)
    two = VerifierKey("name", KeyKind.ED25519, OTHER.private_key.public_key)
    with pytest.raises(RefusedError, match="two keys"):
        open_note(NOTE, [one, two])


def test_the_same_key_given_twice_is_one() -> None:
    assert len(open_note(NOTE, [LOG.verifier_key, LOG.verifier_key]).signatures) == 1


def test_types_separate_key_ids_of_one_public_key() -> None:
    public_key = LOG.private_key.public_key
    ids = {VerifierKey("name", kind, public_key).key_id for kind in KeyKind}
    assert len(ids) == 2


def test_every_changed_character_of_a_vkey_is_refused_or_another_key() -> None:
    for key in (LOG.verifier_key, WITNESS.verifier_key):
        vkey = key.encode()
        assert VerifierKey.parse(vkey) == key
        for position in range(len(vkey)):
            for character in "A+=0f \n\0é—":
                changed = vkey[:position] + character + vkey[position + 1 :]
                if changed == vkey:
                    continue
                # The key id covers name, type and key; a change of any is refused.
                with pytest.raises(MalformedError):
                    VerifierKey.parse(changed)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "++",
        "name+00000000",
        LOG.verifier_key.encode() + "\n",
        " " + LOG.verifier_key.encode(),
        LOG.verifier_key.encode().replace("example.com/log+", "+"),
        LOG.verifier_key.encode().upper(),
        LOG.verifier_key.encode().replace(LOG.verifier_key.key_id.hex(), "0x000000"),
    ],
)
def test_a_vkey_of_a_wrong_form_is_refused(vkey: str) -> None:
    with pytest.raises(MalformedError):
        VerifierKey.parse(vkey)


def test_a_vkeys_key_id_is_lower_case() -> None:
    signer = next(s for s in numbered(50) if not s.verifier_key.key_id.hex().isdigit())
    vkey = signer.verifier_key.encode()
    shouted = vkey.replace(
        signer.verifier_key.key_id.hex(), signer.verifier_key.key_id.hex().upper()
    )
    with pytest.raises(MalformedError, match="key id"):
        VerifierKey.parse(shouted)


def test_a_vkey_of_a_small_order_key_is_refused() -> None:
    material = bytes([1]) + (1).to_bytes(32, "little")
    key_id = hashlib.sha256(b"name\n" + material).hexdigest()[:8]
    with pytest.raises(MalformedError, match="small order"):
        VerifierKey.parse(f"name+{key_id}+{base64.b64encode(material).decode()}")


NAMES = st.text(min_size=1, max_size=20).filter(
    lambda name: (
        "+" not in name
        and not any(c.isspace() or c < " " or 0xD800 <= ord(c) < 0xE000 for c in name)
    )
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=200).map(
    lambda text: text + "\n"
)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, names=st.lists(NAMES, min_size=1, max_size=5, unique=True), seed=st.binary())
def test_signed_notes_round_trip(text: str, names: list[str], seed: bytes) -> None:
    private_key = PrivateKey.from_seed((seed + bytes(32))[:32])
    signers = [NoteSigner(name, private_key) for name in names]
    note = sign_note(text, signers)
    opened = open_note(note, [signer.verifier_key for signer in signers])
    assert opened.text == text
    assert [item.key.name for item in opened.signatures] == names
    assert SignedNote.parse(note).encode() == note
    for signer in signers:
        assert VerifierKey.parse(signer.verifier_key.encode()) == signer.verifier_key
