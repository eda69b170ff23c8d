"""Storefronts of this machine's user: found while they are there, and taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.exchange.messages import Reply
from ledger.exchange.socket_client import SocketTransport
from ledger.exchange.socket_server import SocketServer
from ledger.exchange.transport import NoSellerError
from ledger.market.storefront_places import announced, storefront_of

SELLER = b"s" * 32


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_storefront_is_asked_through_its_place(tmp_path: Path) -> None:
    place = storefront_of(SELLER)
    with pytest.raises(NoSellerError), SocketTransport(place) as way:
        way.ask(b"anybody?")
    with (
        SocketServer(tmp_path / "front", lambda request: Reply(request[::-1])) as server,
        announced(SELLER, server.path) as found,
    ):
        assert found == place
        with SocketTransport(place) as way:
            assert way.ask(b"abc").message == b"cba"
    assert not place.is_symlink()


def test_who_comes_later_takes_the_place_and_keeps_it(tmp_path: Path) -> None:
    place = storefront_of(SELLER)
    with announced(SELLER, tmp_path / "first"):
        with announced(SELLER, tmp_path / "second"):
            assert place.readlink() == tmp_path / "second"
        assert not place.is_symlink()
    # One that was killed left its link: the next one replaces it.
    place.symlink_to(tmp_path / "nowhere")
    with announced(SELLER, tmp_path / "third"):
        assert place.readlink() == tmp_path / "third"


def test_without_a_state_folder_it_is_below_home(tmp_path: Path) -> None:
    assert storefront_of(SELLER, {}).is_relative_to(Path.home() / ".local" / "state" / "quipu")
    place = storefront_of(SELLER, {"XDG_STATE_HOME": str(tmp_path)})
    assert place == tmp_path / "quipu" / "storefronts" / SELLER.hex()
