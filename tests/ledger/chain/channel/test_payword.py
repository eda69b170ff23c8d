"""PayWord chains: the definition, the payer's checkpoints, what a receiver refuses."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.channel import payword
from ledger.chain.channel.payword import Link, PayWordChain, PayWordReceiver, hash_back
from ledger.errors import MalformedError, VerificationError

CHANNEL, SEED = b"h" * 32, b"s" * 32


def naive_chain(channel: bytes, seed: bytes, count: int) -> list[bytes]:
    """w_0 to w_n, by the definition."""
    links = [seed]
    for i in range(count, 0, -1):
        links.append(sha256(channel + i.to_bytes(8, "big") + links[-1]).digest())
    return links[::-1]


def receiver(count: int) -> PayWordReceiver:
    return PayWordReceiver(CHANNEL, count, naive_chain(CHANNEL, SEED, count)[0])


@pytest.mark.parametrize("count", [*range(1, 40), 100, 1000])
def test_every_link_is_that_of_the_definition(count: int) -> None:
    naive = naive_chain(CHANNEL, SEED, count)
    chain = PayWordChain(CHANNEL, SEED, count)
    assert chain.w0 == naive[0]
    assert [chain.link(i).link for i in range(1, count + 1)] == naive[1:]
    order = list(range(1, count + 1))
    random.Random(count).shuffle(order)
    assert all(chain.link(i) == Link(i, naive[i]) for i in order)
    assert naive[count] == SEED


def test_the_longest_chain_takes_little_memory_and_a_hash_a_payment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = PayWordChain(CHANNEL, SEED, payword.MAX_LINKS)
    calls = 0

    def counting(data: bytes) -> object:
        nonlocal calls
        calls += 1
        return sha256(data)

    monkeypatch.setattr(payword, "sha256", counting)
    for i in range(1, 5001):
        chain.link(i)
    assert calls < 5001 + 256
    assert len(chain._checkpoints) == 257
    assert len(chain._block) == 256


@pytest.mark.parametrize("count", [-1, 0, 65_537])
def test_counts_that_no_channel_has(count: int) -> None:
    with pytest.raises(MalformedError):
        PayWordChain(CHANNEL, SEED, count)
    with pytest.raises(MalformedError):
        PayWordReceiver(CHANNEL, count, SEED)


def test_ids_and_links_of_another_size() -> None:
    for channel, link in ((b"h" * 31, SEED), (CHANNEL, SEED + b"s")):
        with pytest.raises(MalformedError):
            PayWordChain(channel, link, 5)
        with pytest.raises(MalformedError):
            PayWordReceiver(channel, 5, link)
    for index in (-1, 6):
        with pytest.raises(MalformedError):
            PayWordReceiver(CHANNEL, 5, SEED, index)


@pytest.mark.parametrize("index", [-1, 0, 6])
def test_the_payer_has_links_1_to_n(index: int) -> None:
    with pytest.raises(MalformedError):
        PayWordChain(CHANNEL, SEED, 5).link(index)


def test_nothing_shows_a_link_or_seed() -> None:
    chain = PayWordChain(CHANNEL, SEED, 5)
    shown = repr(chain) + repr(chain.link(3)) + str(chain.link(5))
    assert chain.link(3).link.hex() not in shown
    assert "ssss" not in shown
    assert "73737373" not in shown


# The receiver


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(0, 2**32))
def test_a_receiver_counts_what_the_links_pay(steps: list[int], seed: int) -> None:
    count = max(sum(steps), 1) + seed % 3
    links = naive_chain(CHANNEL, SEED, count)
    payee, at = receiver(count), 0
    for step in steps:
        at += step
        assert payee.accept(Link(at, links[at])) == step
        assert (payee.index, payee.newest) == (at, links[at])


def refused(payee: PayWordReceiver, claim: Link) -> None:
    before = (payee.index, payee.newest)
    with pytest.raises(VerificationError):
        payee.accept(claim)
    assert (payee.index, payee.newest) == before


def test_every_bit_of_a_link_counts() -> None:
    links, payee = naive_chain(CHANNEL, SEED, 9), receiver(9)
    for bit in range(256):
        spoiled = bytearray(links[4])
        spoiled[bit // 8] ^= 1 << bit % 8
        refused(payee, Link(4, bytes(spoiled)))
    assert payee.accept(Link(4, links[4])) == 4


def test_a_link_at_another_index() -> None:
    links, payee = naive_chain(CHANNEL, SEED, 9), receiver(9)
    for index in range(1, 10):
        for place in range(10):
            if index != place:
                refused(payee, Link(index, links[place]))


def test_a_link_of_another_channel() -> None:
    # From the same seed even; w_n alone is then the same, as a payer must not let it be.
    other = naive_chain(b"i" * 32, SEED, 9)
    for index in range(1, 9):
        refused(receiver(9), Link(index, other[index]))


def test_links_beyond_n() -> None:
    payee = receiver(9)
    # The chain one longer with the same w_0 .. w_9: what would follow w_n.
    for index in (10, 11, 65_536, 2**32, 2**64 - 1):
        refused(payee, Link(index, SEED))
    assert payee.accept(Link(9, SEED)) == 9
    refused(payee, Link(10, b"a preimage of the seed, if so".ljust(32)))


def test_lower_and_equal_links_pay_nothing() -> None:
    links, payee = naive_chain(CHANNEL, SEED, 9), receiver(9)
    payee.accept(Link(5, links[5]))
    for index in (-1, 0, 1, 4, 5):
        refused(payee, Link(index, links[index]))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_links_of_another_size(size: int) -> None:
    links = naive_chain(CHANNEL, SEED, 9)
    refused(receiver(9), Link(1, (links[1] * 2)[:size]))
    padded = naive_chain(CHANNEL, b"s" * 31 + b"\0", 1)  # struct would pad and cut
    payee = PayWordReceiver(CHANNEL, 1, padded[0])
    refused(payee, Link(1, b"s" * 31))
    refused(payee, Link(1, padded[1] + b"\0"))
    for link in (b"s" * 31, padded[1] + b"\0"):
        with pytest.raises(VerificationError):
            payee.accept_each([link])
    assert payee.index == 0


def test_a_receiver_resumes_where_it_was() -> None:
    links = naive_chain(CHANNEL, SEED, 9)
    payee = PayWordReceiver(CHANNEL, 9, links[6], 6)
    assert payee.accept(Link(9, links[9])) == 3


@given(st.integers(0, 20), st.integers(0, 30))
def test_a_batch_is_each_of_its_links(start: int, size: int) -> None:
    links = naive_chain(CHANNEL, SEED, 20)
    payee = PayWordReceiver(CHANNEL, 20, links[start], start)
    batch = [*links[start + 1 :], *[SEED] * 30][:size]
    if size <= 20 - start:
        payee.accept_each(batch)
    else:
        with pytest.raises(VerificationError, match="link 21 of a channel of 20"):
            payee.accept_each(batch)
    assert payee.index == min(start + size, 20)
    assert payee.newest == links[payee.index]


@settings(max_examples=30)
@given(st.integers(0, 9))
def test_a_batch_stops_at_the_first_bad_link(bad: int) -> None:
    links = naive_chain(CHANNEL, SEED, 10)
    batch = links[1:]
    batch[bad] = bytes(32)
    payee = receiver(10)
    with pytest.raises(VerificationError, match=f"link {bad + 1} "):
        payee.accept_each(batch)
    assert (payee.index, payee.newest) == (bad, links[bad])


def test_hashing_back_is_the_definition() -> None:
    links = naive_chain(CHANNEL, SEED, 20)
    for index in range(21):
        for to in range(index + 1):
            assert hash_back(CHANNEL, index, links[index], to) == links[to]


# The wire


def test_a_link_survives_the_wire() -> None:
    for index in (1, 300, 65_536):
        assert Link.parse(Link(index, SEED).encode()) == Link(index, SEED)
    for index in (-1, 0, 65_537, 2**40):
        with pytest.raises(MalformedError):
            Link(index, SEED).encode()


GOOD = Link(300, SEED).encode()


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[3:] + GOOD[:3],
        GOOD[3:],  # index 0
        b"\x08\xac\x82\x00" + GOOD[3:],
        b"\x08\x81\x80\x04" + GOOD[3:],  # 65,537
        GOOD + b"\x18\x01",
        GOOD[:3] + b"\x12\x1f" + bytes(31),
    ],
)
def test_bytes_that_are_no_link(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        Link.parse(encoded)
