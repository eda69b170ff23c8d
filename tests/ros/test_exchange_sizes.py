"""Whatever strangers send, no more than the protocol has goes through, or is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import MalformedError, RefusedError
from ledger.exchange.messages import MAX_MESSAGE, Opening, Reply, encode_opening
from ledger.exchange.socket_frames import MAX_SEALED
from ledger.exchange.transport import SellerSilentError
from tests.ros.exchange_world import GATEWAY, Acquiring, ExchangeWorld
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import ROOT, Ros

EXCESSIVE = ROOT / "tests/ros/excessive_storefront.py"
FETCH = "quipu_interfaces/srv/FetchChunk"
SELLER = bytes(32)
REQUEST, _ = encode_opening(Opening(bytes(32), b"", bytes(32), bytes(64)))
NONE, REFUSED, UNAVAILABLE = 0, 2, 3
SELLER_FAILED = 6
MOST_WORDS = 1_000


@pytest.fixture
def world(ros: Ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeWorld]:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


@contextmanager
def excessive(world: ExchangeWorld, excess: str) -> Iterator[None]:
    """The sellers' storefront, with too much of this in each response."""
    settings = world._parameters(
        "/storefront",
        {
            "chain.trust": str(world.trust_file),
            "chain.socket": str(world.socket),
            "market.domain_id": world.market.domain,
            "wallets": [str(world.root / "sellers")],
            "homes": [str(world.husky.home.paths.root)],
            "sales": str(world.sales),
        },
    )
    arguments = ("sell", "--ros-args", "--params-file", settings)
    with world.sellers_ros.start("python", EXCESSIVE, excess, *arguments) as running:
        eventually(lambda: "sells for" in running.output, lambda: running.output)
        yield


@pytest.mark.parametrize("excess", ["message", "sealed", "words"])
def test_a_storefront_that_says_too_much_is_not_heard(
    world: ExchangeWorld, ros: Ros, excess: str
) -> None:
    with excessive(world, excess), world.gateway(), Graph(ros) as graph:
        answer = graph.call(
            f"{GATEWAY}/fetch_chunk",
            FETCH,
            seller=world.seller_account.hex(),
            message=REQUEST.hex(),
        )
        assert (answer["message"], answer["sealed"]) == ("", "")
        if excess == "words":
            assert answer["error_code"] == UNAVAILABLE
            assert answer["error_msg"] == "w" * MOST_WORDS
        else:
            assert answer["error_code"] == REFUSED
            assert answer["error_msg"] == "the storefront's reply is too long"


def test_a_robot_gives_up_at_once(world: ExchangeWorld, ros: Ros) -> None:
    offered = world.offered()
    with (
        excessive(world, "sealed"),
        world.gateway(),
        world.buyer("r1", world.enrolled(1)),
        Graph(ros) as graph,
    ):
        result = Acquiring(graph, "r1", offered).result()
        assert result["outcome"] == SELLER_FAILED
        assert "too long" in result["error_msg"]
        assert result["paid"] == 0


@pytest.mark.parametrize(
    ("seller", "message"),
    [("00" * 32, "00" * (MAX_MESSAGE + 1)), ("00" * 33, "00"), ("00" * 100_000, "00"), ("", "00")],
    ids=["message", "seller", "long seller", "nobody"],
)
def test_a_request_that_is_too_long_goes_nowhere(
    world: ExchangeWorld, ros: Ros, seller: str, message: str
) -> None:
    with world.gateway(), Graph(ros) as graph:
        answer = graph.call(f"{GATEWAY}/fetch_chunk", FETCH, seller=seller, message=message)
        assert answer["error_code"] == REFUSED


def test_a_storefront_takes_no_request_that_is_too_long(rclpy_here: None) -> None:
    from quipu_nodes.exchange_messages import asked_of, fetch_request

    assert asked_of(fetch_request(SELLER, bytes(MAX_MESSAGE)), SELLER) == bytes(MAX_MESSAGE)
    for seller, size in ((SELLER, MAX_MESSAGE + 1), (SELLER + b"\0", 1), (b"", 1)):
        with pytest.raises(RefusedError):
            asked_of(fetch_request(seller, bytes(size)), SELLER)


def response(message: int, sealed: int, code: int = NONE, words: str = "") -> Any:
    from quipu_interfaces.srv import FetchChunk

    made = FetchChunk.Response()
    made.message, made.sealed = bytes(message), bytes(sealed)
    made.error_code, made.error_msg = code, words
    return made


def test_a_reply_of_any_allowed_size_comes_through(rclpy_here: None) -> None:
    from quipu_nodes.exchange_messages import passed_on, reply_of

    for sizes in ((0, 0), (MAX_MESSAGE, 0), (MAX_MESSAGE, MAX_SEALED)):
        through = passed_on(response(*sizes))
        assert reply_of(through) == Reply(bytes(sizes[0]), bytes(sizes[1]))


def test_no_other_reply_is_taken(rclpy_here: None) -> None:
    from quipu_nodes.exchange_messages import passed_on, reply_of

    for sizes in ((MAX_MESSAGE + 1, 0), (1, MAX_SEALED + 1)):
        for code in (NONE, UNAVAILABLE):
            through = passed_on(response(*sizes, code=code, words="w"))
            assert (through.error_code, len(through.message), len(through.sealed)) == (
                REFUSED,
                0,
                0,
            )
        with pytest.raises(MalformedError):
            reply_of(response(*sizes))
    with pytest.raises(SellerSilentError) as silent:
        reply_of(response(0, 0, UNAVAILABLE, "w" * 5_000))
    assert silent.value.message == "w" * MOST_WORDS
