"""The atomic sale off the chain: what the buyer checks, and what a complaint can show.

The attacks of the literature on swaps over trees, one test each: index swap, an inner node
for a leaf, a last leaf counted twice, a wrong key, a key used again.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.chain.sale.complaint import check_complaint, is_right
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.sale.masking import UnitMask, unit_size
from ledger.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from ledger.exchange.fairswap import MaskedContent, ReceivingUnits, WrongUnitError
from ledger.merkle.hashing import leaf_hash, node_hash, tree_root
from ledger.schema.chain_exchange_pb2 import LockSale
from tests.ledger.exchange.fairswap_world import KEY, SALE, Swap
from tests.ledger.exchange.stream_world import content_of, units_of


def test_an_honest_sale_opens_to_the_content() -> None:
    content = content_of(5)
    seller = MaskedContent(SALE, units_of(content), 5)
    source = units_of(content)
    leaves = [leaf_hash(bytes(source.unit(index))) for index in range(5)]
    receiving = ReceivingUnits(seller.sold, leaves)
    masked = [seller.unit(index) for index in range(5)]
    for each in masked:
        receiving.accept(each)
    locked = receiving.finish()
    assert locked.lock() == LockSale(sale=SALE)
    revealed = locked.revealed(seller.reveal().key)
    opened = [revealed.open(index, each) for index, each in enumerate(masked)]
    assert b"".join(unit[32:] for unit in opened) == content
    for index, each in enumerate(masked):
        with pytest.raises(VerificationError, match="is what was granted"):
            revealed.complain(index, each)
    assert seller.reveal().key.hex() not in repr(seller) + repr(revealed)


def test_masking_follows_its_equations() -> None:
    unit = bytes(range(256)) * 3
    info = b"quipu/sale-unit/v1" + (7).to_bytes(8, "big")
    key = HKDF(SHA256(), 32, SALE, info).derive(KEY)
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    mask = UnitMask(SALE, KEY)
    assert mask.apply(7, unit) == stream.update(unit)
    assert mask.apply(7, mask.apply(7, unit)) == unit
    assert key_hash(KEY) == sha256(b"key" + KEY).digest()
    assert sale_id(b"c" * 32, b"g" * 32, 9) == (
        sha256(b"quipu/sale/v1\0" + b"c" * 32 + b"g" * 32 + (9).to_bytes(8, "big")).digest()
    )
    assert [unit_size(index, 300_000) for index in (0, 1)] == [262_176, 37_888]


def test_sizes_that_cannot_be_are_refused() -> None:
    for call in (
        lambda: UnitMask(SALE[:-1], KEY),
        lambda: UnitMask(SALE, KEY[:-1]),
        lambda: key_hash(KEY + b"!"),
        lambda: sale_id(b"", bytes(32), 0),
        lambda: sale_id(bytes(32), bytes(31), 0),
        lambda: sale_id(bytes(32), bytes(32), 1 << 64),
    ):
        with pytest.raises(MalformedError):
            call()
    with pytest.raises(NotFoundError):
        unit_size(2, 300_000)


# What the buyer checks before it locks


def test_only_all_units_of_the_sale_can_be_locked() -> None:
    swap = Swap(3)
    with pytest.raises(VerificationError, match="leaves"):
        ReceivingUnits(swap.sold, swap.leaves[::-1])
    with pytest.raises(VerificationError, match="leaves"):
        ReceivingUnits(swap.sold, [*swap.leaves, swap.leaves[-1]])
    with pytest.raises(RefusedError, match="2 of 3"):
        swap.received(swap.masked[:2])
    with pytest.raises(VerificationError, match="has 3 units"):
        swap.received([*swap.masked, b""])
    with pytest.raises(VerificationError, match="not those of the sale"):
        swap.received([swap.masked[1], swap.masked[0], swap.masked[2]])
    with pytest.raises(VerificationError, match="bytes"):
        swap.received([swap.masked[0][:-1], *swap.masked[1:]])


def test_wrong_k_is_not_the_one_that_was_locked() -> None:
    locked = Swap(2).received()
    for key in (bytes(32), KEY[:-1], KEY + b"\0", key_hash(KEY)):
        with pytest.raises(VerificationError, match="key"):
            locked.revealed(key)


# What a complaint shows


def cheat(index: int) -> Swap:
    """A seller that sells one unit of garbage among four others."""

    def edit(masked: list[bytes]) -> None:
        masked[index] = masked[index][:100] + bytes(10) + masked[index][110:]

    return Swap(5, edit)


@pytest.mark.parametrize("index", range(5))
def test_a_wrong_unit_can_be_shown(index: int) -> None:
    swap = cheat(index)
    revealed = swap.received().revealed(KEY)
    for other, masked in enumerate(swap.masked):
        if other != index:
            assert revealed.open(other, masked) == swap.units[other]
    with pytest.raises(WrongUnitError) as wrong:
        revealed.open(index, swap.masked[index])
    complaint = wrong.value.complaint
    message = complaint.message
    assert message.unit == sha256(complaint.attachment).digest()
    check_complaint(
        swap.sold,
        message.index,
        complaint.attachment,
        message.unit_path,
        message.leaf,
        message.leaf_path,
    )
    assert not is_right(swap.sold, KEY, index, complaint.attachment, message.leaf)
    # One unit, and two paths.
    assert message.ByteSize() <= 4_096
    with pytest.raises(VerificationError, match="not unit"):
        revealed.complain(index, bytes(len(swap.masked[index])))


def refused(swap: Swap, index: int, masked: bytes, leaf: bytes, at: int, leaf_at: int) -> None:
    """That these paths lead nowhere as a complaint about unit ``index``."""
    with pytest.raises(VerificationError):
        check_complaint(
            swap.sold, index, masked, swap.tree.path(at), leaf, swap.content_tree.path(leaf_at)
        )


def test_index_swap() -> None:
    """An honest unit shown at another place, or held against another's leaf."""
    swap = Swap(5)
    for i in range(4):
        for j in range(4):
            if i != j:
                refused(swap, i, swap.masked[j], swap.leaves[i], j, i)
                refused(swap, i, swap.masked[i], swap.leaves[j], i, j)
                refused(swap, i, swap.masked[j], swap.leaves[j], j, j)
                refused(swap, i, swap.masked[j], swap.leaves[i], i, i)
    for index in (-1, 5, 2**63, 2**64):
        refused(swap, index, swap.masked[0], swap.leaves[0], 0, 0)


def test_an_inner_node_is_no_leaf() -> None:
    """h_i may not be the node above two leaves, with the rest of the path; nor z_i its bytes."""
    swap = Swap(4)
    node, above = node_hash(swap.leaves[0], swap.leaves[1]), swap.content_tree.path(0)[1:]
    for index in range(4):
        with pytest.raises(VerificationError):
            check_complaint(
                swap.sold, index, swap.masked[index], swap.tree.path(index), node, above
            )
    units = [leaf_hash(each) for each in swap.masked]
    inner = b"\x01" + units[0] + units[1]
    with pytest.raises(VerificationError):
        check_complaint(
            swap.sold,
            0,
            inner[1:],
            swap.tree.path(0)[1:],
            swap.leaves[0],
            swap.content_tree.path(0),
        )


def test_a_last_leaf_is_not_counted_twice() -> None:
    """A tree that doubles an odd leaf would have it at two places; RFC 6962's has not."""
    swap = Swap(3)
    path = swap.tree.path(2)
    assert len(path) == 1
    doubled = (leaf_hash(swap.masked[2]), *path)
    for index in (2, 3):
        with pytest.raises(VerificationError):
            check_complaint(
                swap.sold, index, swap.masked[2], doubled, swap.leaves[2], swap.content_tree.path(2)
            )
    assert tree_root([*swap.leaves, swap.leaves[2]]) != swap.sold.content_root


def test_units_of_another_size_are_none() -> None:
    swap = Swap(2)
    for masked in (b"", swap.masked[0][:-1], swap.masked[0] + b"\0", swap.masked[1]):
        refused(swap, 0, masked, swap.leaves[0], 0, 0)


def test_every_hash_of_a_complaint_counts() -> None:
    swap = cheat(2)
    good = (swap.tree.path(2), swap.leaves[2], swap.content_tree.path(2))
    check_complaint(swap.sold, 2, swap.masked[2], *good)
    for place in range(3):
        broken = [
            tuple(bytes([step[0] ^ (at == place)]) + step[1:] for at, step in enumerate(path))
            for path in (good[0], good[2])
        ]
        for paths in ((broken[0], good[2]), (good[0], broken[1])):
            with pytest.raises(VerificationError):
                check_complaint(swap.sold, 2, swap.masked[2], paths[0], good[1], paths[1])
    with pytest.raises(VerificationError):
        check_complaint(swap.sold, 2, swap.masked[2], good[0], swap.leaves[1], good[2])


def test_a_key_that_is_used_again_repeats_no_keystream() -> None:
    """Else two sales of one key would give away both contents to who has one of them."""
    first, second = Swap(2), Swap(2, sale=sale_id(bytes(32), bytes(32), 6))
    for i in range(2):
        assert first.units[i] == second.units[i]
        assert first.masked[i] != second.masked[i]
        refused(second, i, first.masked[i], first.leaves[i], i, i)
    streams = {
        UnitMask(sale, KEY).apply(index, bytes(64))
        for sale in (SALE, bytes(32))
        for index in (0, 1)
    }
    assert len(streams) == 4


def test_each_sale_draws_a_key_of_its_own() -> None:
    source = units_of(content_of(1))
    keys = {MaskedContent(SALE, source, 1).reveal().key for _ in range(3)}
    assert len(keys) == 3
