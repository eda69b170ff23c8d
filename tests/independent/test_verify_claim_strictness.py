"""Entries, keys, notes and proof files that the format does not allow are refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.independent.proof_maker import (
    AT,
    KINDS,
    ORIGIN,
    OTHER,
    PLAIN,
    ROBOT,
    SMALL,
    b64,
    blob,
    checkpoint,
    entry,
    integer,
    log_id,
    log_with,
    path_to,
    proof_of,
    proof_text,
    save,
    sha256,
    signer,
    uint,
    varint,
)
from tests.independent.verdicts import accept, refuse, refuse_entry

FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493

# --- entries -----------------------------------------------------------------------------------


def test_what_the_entry_must_say() -> None:
    kind = SMALL.kind()
    refuse_entry(entry(kind, AT + 1), "another version, key or sequence")
    refuse_entry(entry(kind, 0), "another version, key or sequence")
    refuse_entry(entry(kind, AT, robot=OTHER), "signature")
    refuse_entry(named_by_another_key(kind), "another version, key or sequence")
    refuse_entry(entry(kind, AT, version=0), "another version, key or sequence")
    refuse_entry(entry(kind, AT, version=2), "another version, key or sequence")
    refuse_entry(entry(kind, AT, version=2**32 + 1), "another version, key or sequence")
    refuse_entry(entry(kind, AT, origin="example.org/robots/arm-8"), "signature")
    refuse_entry(entry(b"", AT), "not of one kind")
    refuse_entry(entry(kind, AT, more=KINDS["erasure"]), "not of one kind")
    refuse_entry(entry(kind, AT, more=kind), "field 8 is out of order")
    refuse_entry(entry(SMALL.kind(f5=uint(5, 978)), AT), "do not sum")
    refuse_entry(entry(SMALL.kind(f6=b""), AT), "do not sum")
    refuse_entry(entry(SMALL.kind(f8=blob(8, blob(1, b"\xc0\xaf"))), AT), "utf-8")
    refuse_entry(b"", "field 1 is empty")
    short = entry(kind, AT)[:-66] + blob(2, bytes(63))
    refuse_entry(short, "signature")


def named_by_another_key(kind: bytes) -> bytes:
    """An entry that the robot signed, with another robot's key in it."""
    body = uint(1, 1) + blob(2, OTHER.raw) + uint(3, AT) + kind
    signature = ROBOT.private.sign(b"quipu/entry/v1\0" + log_id() + body)
    return blob(1, body) + blob(2, signature)


def test_content_that_the_entry_does_not_describe(tmp_path: Path) -> None:
    save(SMALL, tmp_path)
    disclosed = blob(2, SMALL.salt_key) + SMALL.disclosed_chunk(0)
    good = proof_of(entry(SMALL.kind(), AT), disclosed)
    accept(good, recording=tmp_path, chunk=(0, SMALL.content))
    for wrong in (b"", blob(4, bytes(31)), blob(4, bytes(32))):
        proof = proof_of(entry(SMALL.kind(f4=wrong), AT), disclosed)
        refuse(proof, "not the one in the log", recording=tmp_path)
        refuse(proof, "not lead to the root", chunk=(0, SMALL.content))


def test_the_longest_entry_is_of_65535_bytes() -> None:
    for more, good in ((0, True), (1, False)):
        length = 65_535 + more
        padding = length - len(entry(SMALL.kind(f13=blob(13, "n" * 60_000)), AT)) + 60_000
        leaf_entry = entry(SMALL.kind(f13=blob(13, "n" * padding)), AT)
        assert len(leaf_entry) == length
        if good:
            accept(proof_of(leaf_entry))
        else:
            refuse_entry(leaf_entry, "too long")


def test_the_one_encoding_of_a_message() -> None:
    good, record = entry(SMALL.kind(), AT), SMALL.fields()
    body = good[3:-66]
    assert good == blob(1, body) + blob(2, good[-64:])
    refuse_entry(blob(2, good[-64:]) + blob(1, body), "field 1 is out of order")
    refuse_entry(good + blob(2, good[-64:]), "field 2 is out of order")
    refuse_entry(entry(SMALL.kind(f3=record[3] + record[2]), AT), "field 2 is out of order")
    refuse_entry(entry(SMALL.kind(f2=record[2] * 2), AT), "field 2 is out of order")
    refuse_entry(entry(SMALL.kind(f13=blob(13, "a") * 2), AT), "field 13 is out of order")
    between = SMALL.kind(f6=b"", f7=record[7] + record[6])
    refuse_entry(entry(between, AT), "field 6 is out of order")
    apart = SMALL.kind(f6=record[6] + record[7], f7=record[6])
    refuse_entry(entry(apart, AT), "field 6 is out of order")
    refuse_entry(entry(SMALL.kind(), AT, more=uint(3, AT)), "field 3 is out of order")
    for number in (2, 3, 5, 14):
        changed = {f"f{number}": integer(number, 0)}
        refuse_entry(entry(SMALL.kind(**changed), AT), f"field {number} is empty")
    for number in (1, 4, 7, 11, 13):
        changed = {f"f{number}": blob(number, b"")}
        refuse_entry(entry(SMALL.kind(**changed), AT), f"field {number} is empty")
    for file in (blob(1, b"") + uint(2, 977), blob(1, "a") + integer(2, 0)):
        refuse_entry(entry(SMALL.kind(f6=blob(6, file)), AT), "field . is empty")
    for kind in range(8, 16):
        refuse_entry(entry(blob(kind, b""), AT), f"field {kind} is empty")
    first = SMALL.disclosed_chunk(0)
    accept(proof_of(good, blob(2, bytes(32)) + first))
    refuse(proof_of(good, first + blob(2, bytes(32))), "field 2 is out of order")
    zero = blob(3, integer(1, 0) + blob(2, bytes(32)))
    refuse(proof_of(good, zero), "field 1 is empty")


def test_unknown_fields_wherever_this_program_reads() -> None:
    unknown, why = uint(15, 1), "field 15 is unknown"
    good = entry(SMALL.kind(), AT)
    refuse_entry(good + unknown, why)
    refuse(proof_of(good, unknown), why)
    refuse(proof_of(good, blob(3, blob(2, bytes(32)) + unknown)), why)
    refuse_entry(entry(SMALL.kind(), AT, more=unknown), why)
    for gap in range(4, 8):
        for field in (uint(gap, 1), blob(gap, b"x")):
            signed = uint(1, 1) + blob(2, ROBOT.raw) + uint(3, AT) + field + SMALL.kind()
            signature = ROBOT.private.sign(b"quipu/entry/v1\0" + log_id() + signed)
            refuse_entry(blob(1, signed) + blob(2, signature), f"field {gap} is unknown")
    refuse_entry(entry(SMALL.kind(f15=unknown), AT), why)
    refuse_entry(entry(SMALL.kind(f0=integer(0, 1)), AT), "field 0 is unknown")
    for far in (16, 2**29 - 1, 2**32 + 1):
        refuse_entry(entry(SMALL.kind(f15=varint(far << 3) + b"\1"), AT), "is unknown")
        refuse_entry(entry(SMALL.kind(f0=varint(far << 3 | 2) + b"\1x"), AT), "is unknown")
    refuse_entry(entry(SMALL.kind(f6=blob(6, unknown)), AT), why)
    refuse_entry(entry(SMALL.kind(f8=blob(8, unknown)), AT), why)


def test_wrong_wire_types() -> None:
    integers, lengths = (2, 3, 5, 14), (1, 4, 6, 7, 8, 9, 10, 11, 12, 13)
    for number in (*integers, *lengths):
        for wire in range(8):
            if wire != (0 if number in integers else 2):
                payload = bytes(8)  # zeros: long enough for any wire type
                changed = {f"f{number}": varint(number << 3 | wire) + payload}
                refuse_entry(entry(SMALL.kind(**changed), AT), f"field {number} is unknown")


def test_malformed_varints() -> None:
    for good in (b"\x7f", b"\x80\x01", b"\xff" * 9 + b"\x01"):
        accept(proof_of(entry(SMALL.kind(f14=b"\x70" + good), AT)))
    over_64_bits = (b"\x80" * 9 + b"\x02", b"\xff" * 9 + b"\x02")
    too_long = (b"\x81\x00", b"\xff\x80\x00", b"\x80\x00", b"\x81" + b"\x80" * 8 + b"\x00")
    endless = (b"\xff" * 10 + b"\x01", b"\x80" * 10 + b"\x00", b"\x80", b"")
    for wrong in (*over_64_bits, *too_long, *endless):
        refuse_entry(entry(SMALL.kind(f14=b"\x70" + wrong), AT), "malformed varint")
    long_length = b"\x6a\x81\x00n"  # field 13, "n"
    refuse_entry(entry(SMALL.kind(f13=long_length), AT), "malformed varint")


def test_lengths_that_reach_past_the_end() -> None:
    for length in (1, 127, 2**31, 2**63, 2**64 - 1):
        kind = SMALL.kind(f13=b"", f14=varint(13 << 3 | 2) + varint(length))
        refuse_entry(entry(kind, AT), "cut off")
        refuse_entry(entry(SMALL.kind(), AT)[:-66] + b"\x12" + varint(length), "cut off")


# --- keys and signatures -----------------------------------------------------------------------


def vkey_of(raw: bytes, name: str = ORIGIN, kind: int = 1) -> str:
    typed = bytes([kind]) + raw
    key_id = sha256(name.encode(), b"\n", typed)[:4]
    return f"{name}+{key_id.hex()}+{b64(typed)}"


def square_root(value: int) -> int | None:
    """A root of `value` modulo 2^255 - 19 (RFC 8032 section 5.1.3), or None."""
    root = pow(value, (FIELD_PRIME + 3) // 8, FIELD_PRIME)
    for candidate in (root, root * pow(2, (FIELD_PRIME - 1) // 4, FIELD_PRIME) % FIELD_PRIME):
        if candidate * candidate % FIELD_PRIME == value % FIELD_PRIME:
            return candidate
    return None


def small_order_y() -> list[int]:
    """1, -1, 0 and the two y of order 8, from y^2 = (-1 + sqrt(1 + d)) / d and its conjugate."""
    d = -121665 * pow(121666, -1, FIELD_PRIME) % FIELD_PRIME
    inner = square_root(1 + d)
    assert inner is not None
    squares = [(-1 + sign * inner) * pow(d, -1, FIELD_PRIME) for sign in (1, -1)]
    roots = [root for root in map(square_root, squares) if root is not None]
    assert len(roots) == 1
    return [1, FIELD_PRIME - 1, 0, roots[0], FIELD_PRIME - roots[0]]


def weak_keys() -> list[bytes]:
    values = [*small_order_y(), *range(FIELD_PRIME, 2**255)]
    return [(y | sign << 255).to_bytes(32, "little") for y in values for sign in (0, 1)]


def test_the_known_point_of_order_8_is_among_the_weak_keys() -> None:
    known = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    assert bytes.fromhex(known) in weak_keys()
    assert len(set(weak_keys())) == 2 * (5 + 19)


@pytest.mark.parametrize("raw", weak_keys(), ids=bytes.hex)
def test_weak_keys_are_refused(raw: bytes) -> None:
    refuse(PLAIN, "public key", vkey=vkey_of(raw))


def test_verifier_keys() -> None:
    good = ROBOT.vkey
    name, digits, encoded = good.split("+", 2)
    refuse(PLAIN, "not signed", vkey=OTHER.vkey)
    refuse(PLAIN, "another log", vkey=signer(1, "example.org/robots/arm-8").vkey)
    refuse(PLAIN, "no verifier key of a log", vkey=vkey_of(ROBOT.raw, kind=4))
    refuse(PLAIN, "key id is wrong", vkey=f"{name}+00000000+{encoded}")
    refuse(PLAIN, "key id is wrong", vkey=f"{name}+{digits.upper()}+{encoded}")
    refuse(PLAIN, "key id is wrong", vkey=f"{name}+0{digits}+{encoded}")
    refuse(PLAIN, "key id is wrong", vkey=f"+{digits}+{encoded}")
    refuse(PLAIN, "key id is wrong", vkey=f" {good}")
    for wrong in ("", "+", "++", f"{name}+{digits}", vkey_of(ROBOT.raw[:-1]), f"{name}+{encoded}"):
        refuse(PLAIN, "no verifier key of a log", vkey=wrong)
    refuse(PLAIN, "no verifier key of a log", vkey=vkey_of(ROBOT.raw + b"\0"))
    refuse(PLAIN, vkey=f"{good}\n")
    refuse(PLAIN, vkey=good + "=")
    for spaced in ("a\u2003b", " ", ""):
        text = f"{spaced}\n1\n{b64(sha256())}\n"
        note = f"{text}\n{signer(1, spaced).line(text)}"
        refuse(proof_text(b"\0", 0, [], note), "malformed", vkey=signer(1, spaced).vkey)
    for at in range(len(good)):
        refuse(PLAIN, vkey=good[:at] + chr(ord(good[at]) ^ 1) + good[at + 1 :])


def test_signatures_with_an_s_that_is_not_reduced() -> None:
    def raised(signature: bytes) -> bytes:
        s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
        return signature[:32] + s.to_bytes(32, "little")

    good = entry(SMALL.kind(), AT)
    refuse_entry(good[:-64] + raised(good[-64:]), "signature")
    note = PLAIN.splitlines()[-1].split(" ")
    raw = base64.b64decode(note[2])
    changed = b64(raw[:4] + raised(raw[4:]))
    refuse(PLAIN.replace(note[2], changed), "signature")


# --- notes and the proof file ------------------------------------------------------------------


def note_parts() -> tuple[str, str, str]:
    """What stands before the checkpoint, its three lines, and its signature line."""
    head, text, line = PLAIN.split("\n\n")
    return f"{head}\n\n", f"{text}\n", line


def test_other_signatures_on_the_checkpoint() -> None:
    head, text, line = note_parts()
    witness = signer(9, "witness.example.org")
    accept(f"{head}{text}\n{witness.line(text)}{line}")
    accept(f"{head}{text}\n{line}{witness.line('something else')}")
    accept(f"{head}{text}\n{line}{OTHER.line(text)}")  # a rotation: both keys, one name
    refuse(f"{head}{text}\n{witness.line(text)}", "not signed")
    refuse(f"{head}{text}\n{line}{ROBOT.line('something else')}", "signature")
    short = f"— {ORIGIN} {b64(ROBOT.key_id + bytes(63))}\n"
    refuse(f"{head}{text}\n{line}{short}", "signature")
    others = "".join(signer(i, "w").line(text) for i in range(10, 73))
    accept(f"{head}{text}\n{others}{line}")
    accept(f"{head}{text}\n— w\x7f AAAAAAA=\n{line}")
    refuse(f"{head}{text}\n{others}{line}{witness.line(text)}", "malformed")
    for wrong in (
        "— w\n",
        "- w AAAAAAAA\n",
        "— w  AAAAAAAA\n",
        "— a+b AAAAAAAA\n",
        "—  AAAAAAAA\n",
        "— w AAAAAAA\n",
        "— w AAAAAA==\n",
        "— w AAAAAB==\n",
        "— w\u00a0x AAAAAAAA\n",
        "— w\x01 AAAAAAAA\n",
        "— w\t AAAAAAAA\n",
        "\n",
    ):
        refuse(f"{head}{text}\n{line}{wrong}")
        refuse(f"{head}{text}\n{wrong}{line}")
    big = f"— {'w' * 1_000_000} AAAAAAAA\n"
    refuse(f"{head}{text}\n{line}{big}", "malformed")


@pytest.mark.parametrize("edit", ["extension", "two lines", "empty origin", "size", "plus", "zero"])
def test_checkpoints_that_are_signed_and_malformed(edit: str) -> None:
    head, text, _ = note_parts()
    origin, size, root, _ = text.split("\n")
    edited = {
        "extension": f"{text}more\n",
        "two lines": f"{origin}\n{size}\n",
        "empty origin": f"\n{size}\n{root}\n",
        "size": f"{origin}\n{2**63}\n{root}\n",
        "plus": f"{origin}\n+{size}\n{root}\n",
        "zero": f"{origin}\n0{size}\n{root}\n",
    }[edit]
    refuse(f"{head}{edited}\n{ROBOT.line(edited)}", "malformed")


def test_a_checkpoint_of_another_size_or_root() -> None:
    head, text, _ = note_parts()
    origin, _, root, _ = text.split("\n")
    for size in (0, AT, 3, 4, 9, 100, 2**62):
        other = f"{origin}\n{size}\n{root}\n"
        refuse(f"{head}{other}\n{ROBOT.line(other)}", "tree of|proof")
    for wrong in (b64(bytes(32)), b64(bytes(31)), b64(bytes(33)), root[:-1], root[:-2] + "B="):
        other = f"{origin}\n7\n{wrong}\n"
        refuse(f"{head}{other}\n{ROBOT.line(other)}")


NOT_INDICES = ["04", "+4", "-4", " 4", "4 ", "4.0", "", "٤", "4_0", "0x4", "9" * 19, "9" * 5000]


@pytest.mark.parametrize("index", [*NOT_INDICES, "0", "3", "5", "7"])
def test_indices(index: str) -> None:
    assert "\nindex 4\n" in PLAIN
    refuse(PLAIN.replace("\nindex 4\n", f"\nindex {index}\n"))


def test_inclusion_proofs_of_another_length_or_order() -> None:
    leaf_entry = entry(SMALL.kind(), AT)
    leaves = [sha256(b"\0", e) for e in log_with(leaf_entry)]
    path, note, extra = path_to(AT, leaves), checkpoint(leaves), blob(1, leaf_entry)
    assert len(path) == 3
    accept(proof_text(extra, AT, path, note))
    for wrong in ([], path[:-1], path[1:], [*path, path[-1]], path[::-1], [bytes(31), *path[1:]]):
        refuse(proof_text(extra, AT, wrong, note), "inclusion proof|32 bytes")
    refuse(proof_text(extra, AT, path * 30, note), "proof file is malformed")


def test_roots_that_a_robot_signed_to_fit_a_wrong_proof() -> None:
    def signed(size: int, root: bytes) -> str:
        text = f"{ORIGIN}\n{size}\n{b64(root)}\n"
        return f"{text}\n{ROBOT.line(text)}"

    leaf_entry = entry(SMALL.kind(), AT)
    extra, leaf, other = blob(1, leaf_entry), sha256(b"\0", leaf_entry), sha256(b"other")
    refuse(proof_text(extra, AT, [], signed(1, leaf)), "tree of 1")
    first = entry(SMALL.kind(), 0)
    over = sha256(b"\x01", other, sha256(b"\0", first))
    refuse(proof_text(blob(1, first), 0, [other], signed(1, over)), "not lead to the root")
    accept(proof_text(extra, AT, [other], signed(5, sha256(b"\x01", other, leaf))))
    for wrong in (other[:-1], other + b"x"):
        root = sha256(b"\x01", wrong, leaf)
        refuse(proof_text(extra, AT, [wrong], signed(5, root)), "32 bytes")


def test_the_head_of_the_file() -> None:
    for old, new in (
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("extra ", "extra  "),
        ("extra ", "Extra "),
        ("extra ", ""),
        ("index ", "index  "),
        ("index 4\n", "index 4\nindex 4\n"),
        ("index 4\n", "index 4\n\n"),
    ):
        refuse(PLAIN.replace(old, new, 1))
    start = PLAIN.index("extra ")
    end = PLAIN.index("\n", start)
    refuse(PLAIN[:start] + PLAIN[end + 1 :], "proof file is malformed")
    refuse(PLAIN[: start + 6] + PLAIN[end:], "proof file is malformed")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_other_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    refuse(data)
    head, _, tail = PLAIN.partition("\nextra ")
    after = tail.partition("\n")[2]
    refuse(f"{head}\nextra {b64(data)}\n{after}")
    refuse(proof_of(data))
