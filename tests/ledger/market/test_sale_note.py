"""The note that a storefront keeps of each sale: what was written comes back, or is refused."""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.grant import Grant
from ledger.market.sale_note import (
    SaleNote,
    SaleStage,
    note_path,
    noted_sales,
    read_note,
    write_note,
)
from ledger.market.selling_stock import Recording

NAMES = [bytes([n]) * 32 for n in range(1, 9)]
GRANT = Grant(*NAMES[:5], 600_000, 0, 3, 5, 90)
NOTE = SaleNote(
    GRANT,
    NAMES[5],
    Recording(NAMES[6], "fleet.example/caf\u00e9/1", 7, NAMES[7]),
    SaleStage.COMPLAINED,
    units=10,
    claimed=11,
    paid=12,
    earned=9,
    lost=2,
    royalties=((NAMES[0], 1_000), (NAMES[1], 250)),
)
ids = st.binary(min_size=32, max_size=32).filter(any)
numbers = st.integers(0, 2**64 - 1)
notes = st.builds(
    SaleNote,
    st.just(GRANT),
    st.just(b"") | ids,
    st.none() | st.builds(Recording, ids, st.text(max_size=20), numbers, ids),
    st.sampled_from(SaleStage),
    *[numbers] * 5,
    st.lists(st.tuples(ids, st.integers(0, 10_000)), max_size=3).map(tuple),
)
STAGE_AT = len(b"quipu-sale-note/v2\n")


def resealed(content: bytes) -> bytes:
    return content + sha256(content).digest()


@given(notes)
def test_what_is_encoded_comes_back(note: SaleNote) -> None:
    assert SaleNote.decode(note.encode()) == note


def test_every_changed_byte_and_every_other_length_is_refused() -> None:
    whole = NOTE.encode()
    for at in range(len(whole)):
        with pytest.raises(MalformedError):
            SaleNote.decode(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(MalformedError):
            SaleNote.decode(whole[:at])
    with pytest.raises(MalformedError):
        SaleNote.decode(whole + b"\0")


@given(st.binary(max_size=600))
def test_noise_is_refused(noise: bytes) -> None:
    for data in (noise, resealed(noise), resealed(b"quipu-sale-note/v2\n" + noise)):
        with pytest.raises(MalformedError):
            SaleNote.decode(data)


@pytest.mark.parametrize("stage", [0, 7, 255])
def test_a_stage_that_there_is_not_is_refused(stage: int) -> None:
    content = NOTE.encode()[:-32]
    with pytest.raises(MalformedError):
        SaleNote.decode(resealed(content[:STAGE_AT] + bytes([stage]) + content[STAGE_AT + 1 :]))


def test_names_that_are_no_text_and_lengths_that_do_not_fit_are_refused() -> None:
    content = NOTE.encode()[:-32]
    assert SaleNote.decode(resealed(content)) == NOTE
    at = content.index("\u00e9".encode())
    for other in (
        content[:at] + b"\xff" + content[at + 1 :],
        content[:-1],
        content + b"\0",
        content.replace(b"note/v2", b"note/v1"),
    ):
        with pytest.raises(MalformedError):
            SaleNote.decode(resealed(other))


def test_a_file_that_is_damaged_or_of_another_grant_is_named(tmp_path: Path) -> None:
    write_note(tmp_path, NOTE)
    path = note_path(tmp_path, GRANT.grant)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (read_note(tmp_path, GRANT.grant), read_note(tmp_path, NAMES[7])) == (NOTE, None)
    assert noted_sales(tmp_path) == (GRANT.grant,)
    note_path(tmp_path, NAMES[7]).write_bytes(path.read_bytes())
    with pytest.raises(CorruptStoreError, match="another grant"):
        read_note(tmp_path, NAMES[7])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptStoreError, match=path.name):
        read_note(tmp_path, GRANT.grant)
