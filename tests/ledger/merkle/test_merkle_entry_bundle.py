from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import EntryTooLargeError, MalformedError
from ledger.merkle.entry_bundle import decode_entry_bundle, encode_entry_bundle


def test_the_prefix_is_a_big_endian_uint16() -> None:
    assert encode_entry_bundle([b"a", b"", b"x" * 258]) == (
        b"\x00\x01a" + b"\x00\x00" + b"\x01\x02" + b"x" * 258
    )


@settings(max_examples=100, deadline=None)
@given(entries=st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_what_is_encoded_comes_back(entries: list[bytes]) -> None:
    assert decode_entry_bundle(encode_entry_bundle(entries), len(entries)) == entries


def test_the_largest_entry_fits_and_one_byte_more_does_not() -> None:
    largest = bytes(65_535)
    assert decode_entry_bundle(encode_entry_bundle([largest]), 1) == [largest]
    with pytest.raises(EntryTooLargeError, match="65536"):
        encode_entry_bundle([b"", bytes(65_536)])


@pytest.mark.parametrize("count", [0, 257])
def test_a_bundle_has_1_to_256_entries(count: int) -> None:
    with pytest.raises(MalformedError):
        encode_entry_bundle([b""] * count)
    with pytest.raises(MalformedError):
        decode_entry_bundle(bytes(2 * count), count)
    assert decode_entry_bundle(bytes(512), 256) == [b""] * 256


def test_every_cut_and_every_other_width_is_refused() -> None:
    entries = [b"one", b"", b"three"]
    bundle = encode_entry_bundle(entries)
    for length in range(len(bundle)):
        with pytest.raises(MalformedError, match="ends within"):
            decode_entry_bundle(bundle[:length], 3)
    with pytest.raises(MalformedError, match="after its last entry"):
        decode_entry_bundle(bundle + b"\0", 3)
    with pytest.raises(MalformedError, match="after its last entry"):
        decode_entry_bundle(bundle, 2)
    with pytest.raises(MalformedError, match="ends within"):
        decode_entry_bundle(bundle, 4)
