"""HMAC-SHA256 as it is computed for every chunk, held to the standard's and Python's."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.experience.keyed_hash import keyed_hash

# RFC 4231, test cases 1, 2 and 6: the last key is longer than a block.
PUBLISHED = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "message", "code"), PUBLISHED)
def test_it_is_the_published_function(key: bytes, message: bytes, code: str) -> None:
    assert keyed_hash(key, message).hex() == code


@given(st.binary(max_size=130), st.binary(max_size=200))
def test_it_is_pythons(key: bytes, message: bytes) -> None:
    assert keyed_hash(key, message) == hmac.digest(key, message, "sha256")
