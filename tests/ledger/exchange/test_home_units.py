"""A recording sold out of a home: plain or sealed, and no further once it is erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import ErasedError, NotFoundError
from ledger.exchange.buyer import FetchingUnit, HeldUnit, SellerRefusedError
from ledger.exchange.deed import Deed, DeedFault, MissingDeed, Promise
from ledger.exchange.grant import Grant
from ledger.exchange.home_units import HomeContents
from ledger.exchange.transport import buy
from ledger.exchange.unit_source import UnitSource
from ledger.experience.erasure import erase
from ledger.experience.ingest import IngestOptions, ingest
from ledger.merkle.hashing import leaf_hash
from tests.ledger.exchange.deed_world import hidden_values
from tests.ledger.exchange.stream_world import StreamWorld
from tests.ledger.experience.experience_home import TestHome, content_of, make_recording


class HomeWorld(StreamWorld):
    """The seller's content is a recording in its home."""

    contents: HomeContents

    def find(self, grant: Grant) -> UnitSource:  # type: ignore[override]
        return self.contents.find(grant)


@pytest.fixture(params=["plain", "sealed"])
def sale(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[HomeWorld, TestHome]]:
    with TestHome.create(tmp_path / "home") as home:
        hidden = hidden_values()
        options = IngestOptions(seal=request.param == "sealed", commit=lambda _: hidden)
        receipt = ingest(home.writer, make_recording(tmp_path / "recording"), options)
        world = HomeWorld(tmp_path)
        world.granted = replace(
            world.granted, content_root=receipt.content_root, content_size=receipt.content_size
        )
        with HomeContents(home.writer, {receipt.content_root: receipt.record_id}) as contents:
            world.contents = contents
            yield world, home
            world.close()


def test_a_recording_is_bought_out_of_a_home(
    sale: tuple[HomeWorld, TestHome], tmp_path: Path
) -> None:
    world, home = sale
    world.begin()
    whole = buy(world.bought, world.alice, world.payer, world.transport)
    (record,) = [home.writer.record(record_id) for record_id, _ in home.writer.tables.states()]
    files = [(file.name, file.size) for file in record.experience.files]
    paths = whole.place(tmp_path / "bought-files", files)
    again = make_recording(tmp_path / "again")
    assert b"".join(path.read_bytes() for path in paths) == content_of(again)
    for ours, theirs in zip(paths, again.files, strict=True):
        assert ours.read_bytes() == theirs.path.read_bytes()


def test_the_deed_comes_out_of_the_home_too(sale: tuple[HomeWorld, TestHome]) -> None:
    world, home = sale
    entry = home.log.entry(0)
    world.begin()
    promise = Promise(leaf_hash(entry))
    whole = buy(world.bought, world.alice, world.payer, world.transport, promise=promise)
    assert isinstance(whole.deed, Deed)
    assert whole.deed.entry == entry
    (record_id,) = [record_id for record_id, _ in home.writer.tables.states()]
    kept = home.writer.keys.get(record_id).openings
    assert len(kept) == 3
    assert set(whole.deed.openings) == set(kept)


def test_an_erasure_after_the_last_payment_takes_the_deed(
    sale: tuple[HomeWorld, TestHome],
) -> None:
    world, home = sale
    entry = home.log.entry(0)
    world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    (record_id,) = [record_id for record_id, _ in home.writer.tables.states()]
    erase(home.writer, [record_id])
    promise = Promise(leaf_hash(entry))
    whole = buy(world.bought, world.alice, world.payer, world.transport, promise=promise)
    assert whole.deed == MissingDeed(DeedFault.GONE)


def test_an_erasure_in_mid_sale_ends_it(sale: tuple[HomeWorld, TestHome]) -> None:
    world, home = sale
    opening = world.begin()
    fetching = opening.receive(world.ask(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    held = fetching.receive(world.ask(fetching.request()))
    assert isinstance(held, HeldUnit)
    (record_id,) = [record_id for record_id, _ in home.writer.tables.states()]
    erase(home.writer, [record_id])
    paid = held.pay()
    after = paid.receive(world.ask(paid.request()))
    assert world.bought.kept == 1, "what was sealed before was given before"
    assert isinstance(after, FetchingUnit)
    with pytest.raises(SellerRefusedError):
        after.receive(world.ask(after.request()))
    assert world.paid == 10


def test_what_is_not_offered_or_erased_is_not_found(sale: tuple[HomeWorld, TestHome]) -> None:
    world, home = sale
    with pytest.raises(NotFoundError):
        world.contents.find(replace(world.granted, content_root=bytes(32)))
    (record_id,) = [record_id for record_id, _ in home.writer.tables.states()]
    erase(home.writer, [record_id])
    with pytest.raises(ErasedError):
        world.contents.find(world.granted)
