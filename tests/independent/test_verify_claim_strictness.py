"""Entries, keys, notes and proof files that the format does not allow are refused."""

from __future__ import annotations

import base64

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
    ROTATION_CLAIM,
    SMALL,
    b64,
    blob,
    checkpoint,
    entry,
    log_id,
    log_with,
    path_to,
    proof_of,
    proof_text,
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
    refuse_entry(entry(kind, AT + 1), "number 5")
    refuse_entry(entry(kind, 0), "number 0")
    refuse_entry(entry(kind, AT, robot=OTHER), "robot key")
    refuse_entry(entry(kind, AT, version=2), "version 2")
    refuse_entry(entry(kind, AT, version=2**32 + 1), "version")
    refuse_entry(entry(kind, AT, origin="example.org/robots/arm-8"), "entry signature")
    refuse_entry(entry(b"", AT), "exactly one kind")
    refuse_entry(entry(kind, AT, more=KINDS["erasure"]), "exactly one kind")
    refuse_entry(entry(kind, AT, more=kind), "there twice")
    refuse_entry(entry(SMALL.kind(f5=uint(5, 978)), AT), "do not sum")
    refuse_entry(entry(SMALL.kind(f6=b""), AT), "do not sum")
    refuse_entry(entry(SMALL.kind(f4=b""), AT), "without a content root")
    for wrong in (blob(1, b"r" * 15), blob(1, b""), b""):
        refuse_entry(entry(SMALL.kind(f1=wrong), AT), "wrong length")
    for number, length in ((4, 31), (11, 31), (11, 33)):
        changed = {f"f{number}": blob(number, bytes(length))}
        refuse_entry(entry(SMALL.kind(**changed), AT), "wrong length")
    refuse_entry(entry(SMALL.kind(f10=blob(10, blob(3, bytes(47)))), AT), "wrong length")
    refuse_entry(entry(SMALL.kind(f13=blob(13, b"\xff")), AT), "utf-8")
    refuse_entry(entry(SMALL.kind(f8=blob(8, blob(1, b"\xc0\xaf"))), AT), "utf-8")
    refuse_entry(b"", "wrong length")


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


def test_unknown_fields_at_every_depth() -> None:
    unknown = uint(15, 1)
    good = entry(SMALL.kind(), AT)
    refuse_entry(good + unknown, "entry: field 15")
    refuse(proof_of(good, unknown), "disclosure: field 15")
    refuse(proof_of(good, blob(3, blob(2, bytes(32)) + unknown)), "chunk: field 15")
    refuse_entry(entry(SMALL.kind(), AT, more=unknown), "body: field 15")
    for gap in range(4, 8):
        refuse_entry(entry(SMALL.kind(), AT, more=uint(gap, 1)), f"body: field {gap}")
    refuse_entry(entry(SMALL.kind(f15=unknown), AT), "experience: field 15")
    refuse_entry(entry(SMALL.kind(f0=uint(0, 1)), AT), "experience: field 0")
    far = varint((2**29 - 1) << 3) + b"\1"
    refuse_entry(entry(SMALL.kind(f15=far), AT), "experience: field")
    beyond = varint((2**32 + 1) << 3 | 2) + b"\0"  # field 1, were the tag cut to 32 bits
    refuse_entry(entry(SMALL.kind(f15=beyond), AT), "experience: field")
    nested = {6: "file", 8: "topic", 9: "tag", 10: "commitment", 12: "range"}
    for number, name in nested.items():
        changed = {f"f{number}": blob(number, unknown)}
        refuse_entry(entry(SMALL.kind(**changed), AT), f"{name}: field 15")
    for number, name in {9: "removal", 10: "removal", 11: "rotation", 12: "retirement"}.items():
        refuse_entry(entry(blob(number, unknown), AT), f"{name}: field 15")


def test_wrong_wire_types() -> None:
    integers, lengths = (2, 3, 5, 14), (1, 4, 6, 7, 8, 9, 10, 11, 12, 13)
    for number in (*integers, *lengths):
        for wire in range(8):
            if wire != (0 if number in integers else 2):
                payload = bytes(8)  # zeros: long enough for any wire type
                changed = {f"f{number}": varint(number << 3 | wire) + payload}
                why = f"field {number} of wire type {wire}"
                refuse_entry(entry(SMALL.kind(**changed), AT), why)


def test_malformed_varints() -> None:
    most = b"\xff" * 9 + b"\x01"
    accept(proof_of(entry(SMALL.kind(f14=b"\x70" + most), AT)))
    over_64_bits = (b"\x80" * 9 + b"\x02", b"\xff" * 9 + b"\x02")
    for wrong in (*over_64_bits, b"\xff" * 10 + b"\x01", b"\x80" * 10 + b"\x00", b"\x80"):
        kind = SMALL.kind(f14=b"\x70" + wrong)
        refuse_entry(entry(kind, AT), "malformed varint")
        refuse_entry(entry(SMALL.kind(f14=wrong), AT), "malformed varint")


def test_lengths_that_reach_past_the_end() -> None:
    for length in (1, 127, 2**31, 2**63, 2**64 - 1):
        kind = SMALL.kind(f13=b"", f14=varint(13 << 3 | 2) + varint(length))
        refuse_entry(entry(kind, AT), "cut off")
        refuse_entry(entry(SMALL.kind(), AT) + varint(2 << 3 | 2) + varint(length), "cut off")


def test_rotations_are_signed_by_the_new_key() -> None:
    for claim in (
        ROTATION_CLAIM[:-1],
        ROTATION_CLAIM.replace(AT.to_bytes(8, "big"), bytes(8)),
        ROTATION_CLAIM.replace(log_id(), log_id("elsewhere")),
    ):
        wrong = blob(11, blob(1, OTHER.raw) + blob(2, OTHER.private.sign(claim)))
        refuse_entry(entry(wrong, AT), "new key signature")
    by_old = blob(11, blob(1, OTHER.raw) + blob(2, ROBOT.private.sign(ROTATION_CLAIM)))
    refuse_entry(entry(by_old, AT), "new key signature")
    refuse_entry(entry(blob(11, blob(1, OTHER.raw)), AT), "wrong length")


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
def test_weak_keys_are_refused_everywhere(raw: bytes) -> None:
    refuse(PLAIN, "public key", vkey=vkey_of(raw))
    refuse_entry(entry(blob(12, blob(1, raw)), AT), "public key")
    refuse_entry(entry(blob(11, blob(1, raw) + blob(2, bytes(64))), AT), "public key")


def test_verifier_keys() -> None:
    good = ROBOT.vkey
    name, digits, encoded = good.split("+", 2)
    refuse(PLAIN, "not signed", vkey=OTHER.vkey)
    refuse(PLAIN, "another log", vkey=signer(1, "example.org/robots/arm-8").vkey)
    refuse(PLAIN, "wrong type", vkey=vkey_of(ROBOT.raw, kind=4))
    refuse(PLAIN, "wrong type or key id", vkey=f"{name}+00000000+{encoded}")
    refuse(PLAIN, "malformed verifier key", vkey=f"{name}+{digits.upper()}+{encoded}")
    refuse(PLAIN, "malformed verifier key", vkey=f"{name}+0{digits}+{encoded}")
    for wrong in ("", "+", f"+{digits}+{encoded}", f"{name}+{digits}", f" {good}", f"{good}\n"):
        refuse(PLAIN, "malformed verifier key", vkey=wrong)
    refuse(PLAIN, "malformed verifier key", vkey=vkey_of(ROBOT.raw, name="a\u2003b"))
    refuse(PLAIN, vkey=good + "=")
    refuse(PLAIN, "not canonical", vkey=vkey_of(ROBOT.raw + b"\0"))
    refuse(PLAIN, "not canonical", vkey=vkey_of(ROBOT.raw[:-1]))
    for at in range(len(good)):
        refuse(PLAIN, vkey=good[:at] + chr(ord(good[at]) ^ 1) + good[at + 1 :])


def test_signatures_with_an_s_that_is_not_reduced() -> None:
    def raised(signature: bytes) -> bytes:
        s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
        return signature[:32] + s.to_bytes(32, "little")

    good = entry(SMALL.kind(), AT)
    refuse_entry(good[:-64] + raised(good[-64:]), "S too large")
    note = PLAIN.splitlines()[-1].split(" ")
    raw = base64.b64decode(note[2])
    changed = b64(raw[:4] + raised(raw[4:]))
    refuse(PLAIN.replace(note[2], changed), "S too large")


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
    refuse(f"{head}{text}\n{line}{ROBOT.line('something else')}", "checkpoint signature")
    short = f"— {ORIGIN} {b64(ROBOT.key_id + bytes(63))}\n"
    refuse(f"{head}{text}\n{line}{short}", "checkpoint signature")
    others = "".join(signer(i, "w").line(text) for i in range(10, 73))
    accept(f"{head}{text}\n{others}{line}")
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
        "— w\x7f AAAAAAAA\n",
        "— w\t AAAAAAAA\n",
        "\n",
    ):
        refuse(f"{head}{text}\n{line}{wrong}")
        refuse(f"{head}{text}\n{wrong}{line}")
    big = f"— {'w' * 1_000_000} AAAAAAAA\n"
    refuse(f"{head}{text}\n{line}{big}", "too long")


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
    refuse(proof_text(extra, AT, path * 30, note), "malformed proof file")


def test_roots_that_a_robot_signed_to_fit_a_wrong_proof() -> None:
    def signed(size: int, root: bytes) -> str:
        text = f"{ORIGIN}\n{size}\n{b64(root)}\n"
        return f"{text}\n{ROBOT.line(text)}"

    leaf_entry = entry(SMALL.kind(), AT)
    extra, leaf, other = blob(1, leaf_entry), sha256(b"\0", leaf_entry), sha256(b"other")
    refuse(proof_text(extra, AT, [], signed(1, leaf)), "tree of 1")
    first = entry(SMALL.kind(), 0)
    over = sha256(b"\x01", other, sha256(b"\0", first))
    refuse(proof_text(blob(1, first), 0, [other], signed(1, over)), "too long")
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
    refuse(PLAIN[:start] + PLAIN[end + 1 :], "malformed proof file")
    refuse(PLAIN[: start + 6] + PLAIN[end:], "malformed proof file")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_other_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    refuse(data)
    head, _, tail = PLAIN.partition("\nextra ")
    after = tail.partition("\n")[2]
    refuse(f"{head}\nextra {b64(data)}\n{after}")
    refuse(proof_of(data))
