"""Which homes a storefront sells out of, whose keys it finds there, and how many files it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.errors import KeyStoreError, NotFoundError
from ledger.exchange.grant import Grant
from ledger.home import HomeReader, create_home, open_home, open_home_to_write
from ledger.market import selling_stock
from ledger.market.selling_homes import SellingHomes
from ledger.market.selling_stock import Recording, Stock
from ledger.merkle.hashing import leaf_hash
from tests.ledger.market.sellers_world import SellersWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        yield SellersWorld(root, held)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    return tmp_path / "home"


def test_a_home_that_comes_later_is_found(root: Path) -> None:
    with SellingHomes([root]) as homes:
        assert homes.all == homes.accounts == ()
        with pytest.raises(NotFoundError, match="robot"):
            homes.find("robot.example/late")
        vkey = create_home(root, "robot.example/late")
        home = homes.find("robot.example/late")
        assert isinstance(home, HomeReader)
        assert homes.accounts == (bytes(vkey.public_key),)
    with open_home_to_write(root) as again:
        assert again.log.origin == "robot.example/late", "it was closed"


def test_keys_are_read_where_they_are(root: Path) -> None:
    vkey = create_home(root, "robot.example/keys")
    account = bytes(vkey.public_key)
    with SellingHomes([root]) as homes:
        key = homes.private_key(account)
        assert key is not None
        assert bytes(key.public_key) == account
        assert homes.private_key(bytes(32)) is None
        (path,) = (root / "keys" / "signing").iterdir()
        path.chmod(0o640)
        with pytest.raises(KeyStoreError, match="by others"):
            homes.private_key(account)
        path.unlink()
        assert homes.private_key(account) is None, "its key is destroyed"


def test_a_home_that_is_open_here_already_stays_open(root: Path) -> None:
    create_home(root, "robot.example/open")
    with open_home(root) as opened:
        with SellingHomes((), [opened]) as homes:
            assert homes.find("robot.example/open") is opened
        assert opened.log.size == 0


def granted(world: SellersWorld, name: bytes, root: bytes, size: int) -> Grant:
    key = bytes(32)
    return Grant(world.chain, name, key, key, root, size, 0, 1, 0, 99)


def test_only_so_many_recordings_are_open(
    world: SellersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selling_stock, "MAX_OPEN", 1)
    robots = [world.husky, world.robot("sellers.example/second", seed=9)]
    homes = SellingHomes((), [robot.home for robot in robots])
    stock = Stock(homes, world.proven)
    grants = []
    for robot in robots:
        recorded = robot.recorded
        name = leaf_hash(recorded.content_root)
        grants.append(granted(world, name, recorded.content_root, recorded.content_size))
        entry = robot.home.log.entry(recorded.index)
        stock.learn(name, Recording(b"o" * 32, robot.origin, recorded.index, leaf_hash(entry)))
    for _ in range(2):
        for each, robot in zip(grants, robots, strict=True):
            units = stock.find(each)
            assert (units.root, units.size) == (each.content_root, len(robot.content))
            assert bytes(units.unit(0))[32:100] == robot.content[:68]
            assert stock.find(each) is units
            assert len(stock._open) == 1
    stock.close()


@pytest.mark.parametrize("wrong", ["leaf", "index", "origin", "root", "unknown"])
def test_another_entry_than_was_offered_is_not_sold(world: SellersWorld, wrong: str) -> None:
    recorded, log = world.husky.recorded, world.husky.home.log
    leaf = leaf_hash(log.entry(recorded.index))
    about = Recording(b"o" * 32, world.husky.origin, recorded.index, leaf)
    change = {
        "leaf": Recording(about.offer, about.origin, about.index, bytes(32)),
        "index": Recording(about.offer, about.origin, log.size + 5, leaf),
        "origin": Recording(about.offer, "sellers.example/nobody", about.index, leaf),
    }
    stock = Stock(SellingHomes((), [world.husky.home]), world.proven)
    name = b"n" * 32
    if wrong != "unknown":
        stock.learn(name, change.get(wrong, about))
    root = bytes(32) if wrong == "root" else recorded.content_root
    with pytest.raises(NotFoundError):
        stock.find(granted(world, name, root, recorded.content_size))
