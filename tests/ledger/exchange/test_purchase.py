"""The buyer's folder and the seller's file: what they refuse, and whom they let in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import (
    CorruptStoreError,
    LedgerError,
    LockedError,
    MalformedError,
    NotFoundError,
    RefusedError,
)
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.exchange.purchase import Purchase
from ledger.exchange.sale_file import SaleRow, forget_sale, read_sale, sale_path, write_sale
from ledger.exchange.transport import buy
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import Terms
from tests.ledger.exchange.stream_world import StreamWorld

CHANNEL = bytes(range(32))


def grant(**fields: Any) -> Grant:
    values = {
        "chain": bytes(32),
        "grant": sha256(b"g").digest(),
        "buyer": sha256(b"b").digest(),
        "seller": sha256(b"s").digest(),
        "content_root": sha256(b"r").digest(),
        "content_size": 600_000,
        "asset": 7,
        "chunk_price": 10,
        "record_price": 5,
        "expiry_height": 99,
        **fields,
    }
    return Grant(**values)


def test_a_grant_is_read_as_it_was_written() -> None:
    assert Grant.decode(grant().encode()) == grant()
    assert len(grant().encode()) == GRANT_SIZE
    with pytest.raises(MalformedError):
        Grant.decode(grant().encode()[:-1])


def test_the_records_price_is_spread_over_the_units() -> None:
    assert [grant().price_of(units) for units in range(4)] == [0, 12, 24, 35]
    assert grant(content_size=0).price == 0


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(1, 2**32))
def test_no_unit_costs_more_than_its_share(chunk: int, record: int, size: int) -> None:
    whole = grant(chunk_price=chunk, record_price=record, content_size=size)
    count, price, step = whole.count, record + whole.count * chunk, whole.price_step
    for units in {1, count // 2, count - 1, count} - {0}:
        so_far = whole.price_of(units)
        assert 0 <= so_far * count - units * price < count  # the share, rounded up
        if step:
            assert so_far % step == whole.price % step == 0
            assert whole.units_for(so_far) >= units
    assert whole.price_of(count) == whole.price == price
    assert bool(step) == bool(price) == bool(whole.price_of(1))


def test_a_grant_is_what_the_chain_says() -> None:
    terms = grant()
    record = GrantRecord(
        key=terms.buyer,
        seller=terms.seller,
        content_root=terms.content_root,
        content_size=terms.content_size,
        expiry_height=terms.expiry_height,
        terms=Terms(asset=7, chunk_price=10, record_price=5),
    )
    assert Grant.of_record(terms.chain, terms.grant, record) == terms
    with pytest.raises(MalformedError):
        Grant.of_record(terms.chain, terms.grant, GrantRecord())


@pytest.mark.parametrize(
    "fields",
    [
        {"chain": b""},
        {"buyer": bytes(33)},
        {"asset": 1 << 32},
        {"content_size": -1},
        {"content_size": 1 << 63, "chunk_price": 1 << 63},
        {"expiry_height": 1 << 64},
    ],
)
def test_a_grant_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        grant(**fields)


def test_one_process_buys_into_a_folder(tmp_path: Path) -> None:
    first = Purchase.create(tmp_path / "p", grant(), CHANNEL)
    with pytest.raises(LockedError):
        Purchase.open(tmp_path / "p")
    first.close()
    with pytest.raises(RefusedError, match="was begun"):
        Purchase.create(tmp_path / "p", grant(), CHANNEL)
    again = Purchase.open(tmp_path / "p")
    assert (again.grant, again.channel, again.agreement) == (grant(), CHANNEL, first.agreement)
    again.close()
    with pytest.raises(NotFoundError):
        Purchase.open(tmp_path / "q")
    for channel, price in ((b"", 10), (CHANNEL, 0)):
        with pytest.raises(MalformedError):
            Purchase.create(tmp_path / "r", grant(chunk_price=price, record_price=0), channel)


def test_files_are_private(tmp_path: Path) -> None:
    Purchase.create(tmp_path / "p", grant(), CHANNEL).close()
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o700
    for name in ("purchase", "units", "content"):
        assert (tmp_path / "p" / name).stat().st_mode & 0o777 == 0o600
    write_sale(tmp_path, SaleRow.begin(grant(), CHANNEL))
    assert sale_path(tmp_path, grant().grant).stat().st_mode & 0o777 == 0o600


def every_byte(path: Path, read: Callable[[], Any]) -> None:
    """Flip, cut and lengthen: each is damage."""
    whole = path.read_bytes()
    damaged = [bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]]) for at in range(len(whole))]
    for data in [*damaged, whole[:-1], whole + b"\0", b""]:
        path.write_bytes(data)
        with pytest.raises(CorruptStoreError):
            read()
    path.write_bytes(whole)
    read()


def test_no_byte_of_a_sale_can_change(tmp_path: Path) -> None:
    row = SaleRow.begin(grant(), CHANNEL)
    write_sale(tmp_path, row)
    every_byte(sale_path(tmp_path, row.grant.grant), lambda: read_sale(tmp_path, row.grant.grant))
    assert read_sale(tmp_path, row.grant.grant) == row
    other = bytes(32)
    sale_path(tmp_path, row.grant.grant).rename(sale_path(tmp_path, other))
    with pytest.raises(CorruptStoreError, match="another grant"):
        read_sale(tmp_path, other)
    forget_sale(tmp_path, other)
    assert read_sale(tmp_path, other) is None


def test_no_byte_of_a_purchase_can_change(tmp_path: Path) -> None:
    Purchase.create(tmp_path / "p", grant(), CHANNEL).close()
    every_byte(tmp_path / "p" / "purchase", lambda: Purchase.open(tmp_path / "p").close())


def test_no_secret_is_shown(tmp_path: Path) -> None:
    purchase = Purchase.create(tmp_path / "p", grant(), CHANNEL)
    row = SaleRow.begin(grant(), CHANNEL)
    for secret, shown in ((purchase.agreement, repr(purchase)), (row.key, repr(row))):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    purchase.close()


@pytest.mark.parametrize("file", ["units", "content"])
def test_what_rots_after_it_was_checked_is_not_placed(world: StreamWorld, file: str) -> None:
    world.begin()
    whole = buy(world.bought, world.alice, world.payer, world.transport)
    path = world.root / "bought" / file
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptStoreError):
        whole.place(world.root / "placed", [("bag", len(world.content))])
    assert not (world.root / "placed" / "bag").exists()


def test_a_purchase_of_another_grant_is_not_this_wallets(world: StreamWorld) -> None:
    world.granted = replace(world.granted, buyer=world.bob.account)
    with pytest.raises(LedgerError, match="another key"):
        world.begin()
