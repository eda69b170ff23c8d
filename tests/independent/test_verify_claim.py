"""What the stand-alone verifier accepts, and that no byte it has checked can change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.independent import verify_claim
from tests.independent.proof_maker import (
    AT,
    CHUNK,
    KINDS,
    ORIGIN,
    OTHER,
    PLAIN,
    RECORD,
    ROBOT,
    SMALL,
    WITH_CHUNKS,
    WITH_KEY,
    Record,
    b64,
    blob,
    entry,
    noise,
    path_to,
    proof_of,
    proof_text,
    save,
    sha256,
    uint,
)
from tests.independent.verdicts import accept, refuse

START, END = 1_700_000_000_000_000_000, 1_700_000_009_000_000_000  # ns
PROGRAM = Path(verify_claim.__file__)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(RECORD, tmp_path_factory.mktemp("recording"))


# --- what is good ------------------------------------------------------------------------------


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(PROGRAM), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_says_what_it_checked(tmp_path: Path, folder: Path) -> None:
    proof, chunk = tmp_path / "claim.proof", tmp_path / "chunk"
    extra = blob(2, RECORD.salt_key) + RECORD.disclosed_chunk(1)
    proof.write_bytes(proof_of(entry(RECORD.kind(), AT), extra).encode())
    chunk.write_bytes(RECORD.chunks[1])
    done = run(proof, ROBOT.vkey, "--recording", folder, "--chunk", "1", chunk)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    checked = "(recording and chunk checked)"
    assert done.stdout.splitlines() == [
        f"verified: recording, entry 4 of 7 in '{ORIGIN}', signed by {ROBOT.raw.hex()}",
        f"from {START} to {END} ns by the robot's own clock, 600077 bytes {checked}",
        "topics: '/odom' (900), '/scan' (40)",
    ]


@pytest.mark.parametrize("wrong", ["proof", "vkey", "recording", "chunk", "index", "missing"])
def test_the_program_refuses_with_exit_code_1(tmp_path: Path, wrong: str) -> None:
    save(SMALL, tmp_path)
    chunk, proof, index = tmp_path / "chunk", tmp_path / "claim.proof", "0"
    text = proof_of(entry(SMALL.kind(), AT), blob(2, SMALL.salt_key) + SMALL.disclosed_chunk(0))
    chunk.write_bytes(SMALL.content[:-1] + b"!" if wrong == "chunk" else SMALL.content)
    if wrong != "missing":
        proof.write_bytes(text.encode() + (b"\n" if wrong == "proof" else b""))
    if wrong == "recording":
        (tmp_path / "b.json").write_bytes(b"?" * 77)
    vkey = OTHER.vkey if wrong == "vkey" else ROBOT.vkey
    index = "one" if wrong == "index" else "0"
    done = run(proof, vkey, "--recording", tmp_path, "--chunk", index, chunk)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("refused: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("size", range(1, 10))
def test_every_leaf_of_small_trees(size: int) -> None:
    for index in range(size):
        proof = proof_of(entry(SMALL.kind(), index), index=index, size=size)
        assert f"entry {index} of {size} " in accept(proof)


def test_a_tree_of_more_than_2_to_62_leaves_can_have_a_proof_of_63_hashes() -> None:
    leaf_entry = entry(SMALL.kind(), 0)
    root, path = sha256(b"\0", leaf_entry), [sha256(bytes([i])) for i in range(63)]
    for sibling in path:
        root = sha256(b"\x01", root, sibling)
    text = f"{ORIGIN}\n{2**63 - 1}\n{b64(root)}\n"
    note = f"{text}\n{ROBOT.line(text)}"
    assert f"entry 0 of {2**63 - 1} " in accept(proof_text(blob(1, leaf_entry), 0, path, note))
    refuse(proof_text(blob(1, leaf_entry), 0, [*path, path[0]], note), "proof file is malformed")


@pytest.mark.parametrize("kind", KINDS)
def test_entries_without_content(kind: str, tmp_path: Path) -> None:
    proof = proof_of(entry(KINDS[kind], AT))
    assert f"{kind}, entry {AT} of 7 " in accept(proof)
    disclosed = blob(2, SMALL.salt_key) + SMALL.disclosed_chunk(0)
    proof = proof_of(entry(KINDS[kind], AT), disclosed)
    refuse(proof, "not the one in the log", recording=tmp_path)
    refuse(proof, "not in a tree of 0", chunk=(0, b""))


def test_an_episode_that_is_only_parts_of_other_records() -> None:
    ranges = blob(1, b"o" * 16) + blob(2, "episode.parquet") + uint(3, 5) + uint(4, 9)
    commitment = uint(1, 2) + blob(3, b"p" * 48) + uint(5, 1)
    nothing = {"f4": b"", "f5": b"", "f6": b"", "f10": blob(10, commitment)}
    contract = blob(11, b"c" * 32)
    accept(proof_of(entry(SMALL.kind(**nothing, f11=contract, f12=blob(12, ranges)), AT)))


def test_the_empty_recording(tmp_path: Path) -> None:
    empty = Record((("nothing", b""),))
    (tmp_path / "nothing").touch()
    proof = proof_of(entry(empty.kind(), AT), blob(2, empty.salt_key))
    assert "0 bytes (recording checked)" in accept(proof, recording=tmp_path)
    refuse(proof, "not disclosed", chunk=(0, b""))


def test_one_file_may_be_named_itself(tmp_path: Path) -> None:
    single, elsewhere = Record((("a.mcap", b"bytes"),)), tmp_path / "renamed"
    elsewhere.write_bytes(b"bytes")
    accept(proof_of(entry(single.kind(), AT), blob(2, single.salt_key)), recording=elsewhere)
    several = proof_of(entry(SMALL.kind(), AT), blob(2, SMALL.salt_key))
    refuse(several, "another size", recording=elsewhere)
    halves = Record((("a", b"one"), ("b", b"two")))
    elsewhere.write_bytes(halves.content)
    proof = proof_of(entry(halves.kind(), AT), blob(2, halves.salt_key))
    refuse(proof, "another size", recording=elsewhere)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(0, 2**64 - 1))
def test_any_small_recording(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes], ns: int
) -> None:
    record = Record(tuple((f"{i}.bin", part) for i, part in enumerate(data)))
    leaf_entry = entry(record.kind(f3=uint(3, ns)), AT)
    folder = save(record, tmp_path_factory.mktemp("any"))
    report = accept(proof_of(leaf_entry, blob(2, record.salt_key)), recording=folder)
    assert f"to {ns} ns" in report


# --- each byte, and each part of the content ---------------------------------------------------


def flips(proof: str) -> Iterator[bytes]:
    raw = proof.encode()
    for at in range(len(raw)):
        for bit in range(8):
            yield raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]


def test_every_flipped_bit_is_refused() -> None:
    accept(PLAIN)
    for flipped in flips(PLAIN):
        refuse(flipped)


def test_every_flipped_bit_is_refused_when_the_recording_is_checked(tmp_path: Path) -> None:
    save(SMALL, tmp_path)
    proof = proof_of(entry(SMALL.kind(), AT), blob(2, SMALL.salt_key))
    accept(proof, recording=tmp_path)
    for flipped in flips(proof):
        refuse(flipped, recording=tmp_path)


def test_every_flipped_bit_is_refused_when_the_disclosed_chunk_is_checked() -> None:
    proof = proof_of(entry(RECORD.kind(), AT), RECORD.disclosed_chunk(2))
    chunk = RECORD.chunks[2]
    accept(proof, chunk=(2, chunk))
    for flipped in flips(proof):
        refuse(flipped, chunk=(2, chunk))


def test_no_part_of_a_proof_can_be_left_out_or_added() -> None:
    raw = PLAIN.encode()
    for end in range(len(raw)):
        refuse(raw[:end])
    for more in (b"\n", b" ", b"x", b"\0", b"\r\n", "— \n".encode()):
        refuse(raw + more)
        refuse(more + raw)
    lines = PLAIN.splitlines(keepends=True)
    for i, line in enumerate(lines):
        refuse("".join(lines[:i] + lines[i + 1 :]))
        if i < len(lines) - 1:  # the last is the signature, which may be there twice
            refuse("".join([*lines[: i + 1], line, *lines[i + 1 :]]))
    refuse(PLAIN.replace("\n", "\r\n"))
    refuse("\ufeff" + PLAIN)


@pytest.mark.parametrize("chunks", range(1, 10))
def test_recordings_of_any_number_of_chunks(chunks: int, tmp_path: Path) -> None:
    whole = Record((("a", noise(CHUNK * chunks - 1, b"a")), ("b", b"x")))
    save(whole, tmp_path)
    proof = proof_of(entry(whole.kind(), AT), blob(2, whole.salt_key))
    accept(proof, recording=tmp_path)
    (tmp_path / "b").write_bytes(b"y")
    refuse(proof, "not the one in the log", recording=tmp_path)


@pytest.mark.parametrize("at", [0, CHUNK - 1, CHUNK, 300_000, 300_076, 300_077, 600_076])
def test_a_wrong_byte_of_the_recording(at: int, tmp_path: Path, folder: Path) -> None:
    accept(WITH_KEY, recording=folder)
    files, seen = [], 0
    for name, data in RECORD.files:
        inside = 0 <= at - seen < len(data)
        cut = at - seen
        wrong = data[:cut] + bytes([data[cut] ^ 1]) + data[cut + 1 :] if inside else data
        files.append((name, wrong))
        seen += len(data)
    save(replace(RECORD, files=tuple(files)), tmp_path)
    refuse(WITH_KEY, "not the one in the log", recording=tmp_path)


def test_files_in_another_order(tmp_path: Path, folder: Path) -> None:
    (name_a, a), middle, (name_c, c) = RECORD.files
    swapped = save(replace(RECORD, files=((name_a, c), middle, (name_c, a))), tmp_path)
    refuse(WITH_KEY, "not the one in the log", recording=swapped)
    # an entry that names the right files, in another order than that of its content root
    backwards = replace(RECORD, files=RECORD.files[::-1])
    lying = entry(RECORD.kind(f6=backwards.fields()[6]), AT)
    refuse(proof_of(lying, blob(2, RECORD.salt_key)), "not the one in the log", recording=folder)


def test_a_file_that_is_missing_or_of_another_size(tmp_path: Path) -> None:
    proof = proof_of(entry(SMALL.kind(), AT), blob(2, SMALL.salt_key))
    save(SMALL, tmp_path)
    with (tmp_path / "b.json").open("ab") as file:
        file.write(b"x")
    refuse(proof, "another size", recording=tmp_path)
    (tmp_path / "b.json").unlink()
    with pytest.raises(OSError, match=r"b\.json"):
        accept(proof, recording=tmp_path)


def test_the_salt_key_must_be_the_right_one_and_there(folder: Path) -> None:
    refuse(PLAIN, "not disclosed", recording=folder)
    refuse(proof_of(entry(RECORD.kind(), AT), blob(2, b"")), "field 2 is empty")
    for key in (RECORD.salt_key[:-1], RECORD.salt_key + b"\0"):  # HMAC pads with zeros
        wrong = proof_of(entry(RECORD.kind(), AT), blob(2, key))
        refuse(wrong, "not disclosed", recording=folder)
    wrong = proof_of(entry(RECORD.kind(), AT), blob(2, bytes(32)))
    refuse(wrong, "not the one in the log", recording=folder)


OUTSIDE = ["../secret", "/etc/hostname", "data/../../secret", "..", "data/../data/b", "a\0b"]
UNCLEAR = ["./b", "data//b", "data/./b", "data/", "."]


@pytest.mark.parametrize("name", [*OUTSIDE, *UNCLEAR])
def test_file_names_that_lead_out_of_the_directory(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "data").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"bytes")
    record = Record(((name, b"bytes"),))
    proof = proof_of(entry(record.kind(), AT), blob(2, record.salt_key))
    refuse(proof, "leads out|null", recording=inside)


def test_chunks() -> None:
    for i in (0, 2):
        assert "(chunk checked)" in accept(WITH_CHUNKS, chunk=(i, RECORD.chunks[i]))
    refuse(WITH_CHUNKS, "not disclosed", chunk=(1, RECORD.chunks[1]))
    refuse(WITH_CHUNKS, "not disclosed", chunk=(3, b""))
    refuse(WITH_CHUNKS, "another size", chunk=(2, RECORD.chunks[0]))
    refuse(WITH_CHUNKS, "another size", chunk=(0, RECORD.chunks[0][:-1]))
    refuse(WITH_CHUNKS, "another size", chunk=(2, RECORD.chunks[2] + b"\0"))
    refuse(WITH_CHUNKS, "not lead to the root", chunk=(0, RECORD.chunks[1]))
    for at in (0, CHUNK // 2, CHUNK - 1):
        chunk = bytearray(RECORD.chunks[0])
        chunk[at] ^= 128
        refuse(WITH_CHUNKS, "not lead to the root", chunk=(0, bytes(chunk)))
    # chunk 1 passed off as chunk 0, with the salt and the path of chunk 1
    path = b"".join(blob(3, h) for h in path_to(1, RECORD.leaves))
    moved = blob(3, blob(2, RECORD.salt(1)) + path)
    refuse(proof_of(entry(RECORD.kind(), AT), moved), "not lead", chunk=(0, RECORD.chunks[1]))
