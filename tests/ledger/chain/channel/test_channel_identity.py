"""Channel ids: the layout, and that no two channels share one."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.channel.identity import channel_id
from ledger.errors import MalformedError

CHAIN, PAYER = bytes(range(32)), bytes(range(32, 64))
IDS = st.binary(min_size=32, max_size=32)
SEQUENCES = st.integers(0, 2**64 - 1)


def test_the_id_is_the_hash_of_tag_chain_payer_and_sequence() -> None:
    preimage = b"quipu/channel/v1\x00" + CHAIN + PAYER + b"\0\0\0\0\0\0\1\2"
    assert channel_id(CHAIN, PAYER, 258) == sha256(preimage).digest()


@given(st.tuples(IDS, IDS, SEQUENCES), st.tuples(IDS, IDS, SEQUENCES))
def test_other_channels_have_other_ids(
    one: tuple[bytes, bytes, int], other: tuple[bytes, bytes, int]
) -> None:
    assert (channel_id(*one) == channel_id(*other)) == (one == other)


@pytest.mark.parametrize(
    ("chain", "payer", "sequence"),
    [
        (CHAIN[:31], PAYER, 0),
        (CHAIN + b"\0", PAYER[:31], 0),
        (CHAIN, PAYER + b"\0", 0),
        (CHAIN, b"", 0),
        (CHAIN, PAYER, -1),
        (CHAIN, PAYER, 1 << 64),
    ],
)
def test_what_makes_no_id_is_refused(chain: bytes, payer: bytes, sequence: int) -> None:
    with pytest.raises(MalformedError):
        channel_id(chain, payer, sequence)
