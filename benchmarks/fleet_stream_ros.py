"""A stream bought over the ROS 2 service, beside bare services that move the same bytes.

Seller and buyer are two processes on a DDS domain of this machine. The seller answers at a
storefront's service, the buyer checks, pays and keeps as in `fleet_stream`. As robots buy, through
their fleet's gateway (``stream_gateway_mb_s``), that is a third process, which stands on a domain
of the buyer's, too: every byte goes twice through DDS. Until the first answer it takes up to the
three seconds in which the purchase's new participant and the seller's find each other; they are
``stream_gateway_first_s``, and left out of the other. The peers are two:
an ordinary service of rclpy, spun by an executor on each side, which gives back one chunk after
the other and does nothing with it, and the same past the executor, as the storefront and the
buyer take it (`stream_ros_vs_wait_set`). The bound is held to the ordinary one.

``python -m benchmarks.fleet_stream_ros FOLDER ROUNDS BYTES`` under script/ros prints JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import fleet_stream
from benchmarks.measure import mid, ratios, seconds_of, take_turns
from ledger.exchange.messages import Reply
from ledger.exchange.transport import Transport
from ledger.experience.content_root import chunk_count

CHECKOUT = Path(__file__).resolve().parents[1]
DOMAIN, FLEET_DOMAIN = 87, 88
SEALED = 262_144 + 48
"""Bytes of a sealed unit."""
MESSAGE = 700
"""Bytes of a reply beside it: a path of ten hashes, a secret."""
REQUEST = 150

FIGURES = (
    "stream_ros_mb_s_vs_bare",
    "stream_ros_mb_s",
    "stream_ros_bare_mb_s",
    "stream_ros_vs_wait_set",
    "stream_ros_wait_set_mb_s",
    "stream_gateway_mb_s",
    "stream_gateway_first_s",
)


class _Clocked:
    """A way to a seller, and when its first answer was here."""

    def __init__(self, way: Transport) -> None:
        self._way = way
        self.first = 0.0

    def ask(self, request: bytes) -> Reply:
        reply = self._way.ask(request)
        self.first = self.first or perf_counter()
        return reply


def measure_stream_ros(folder: Path, rounds: int) -> dict[str, float | None]:
    """Figures by name; each None where there is no ROS 2."""
    if subprocess.run([CHECKOUT / "script/ros", "true"], check=False).returncode:
        return dict.fromkeys(FIGURES)
    size = fleet_stream.STREAM_BYTES
    command = ["python", "-m", "benchmarks.fleet_stream_ros", str(folder), str(rounds), str(size)]
    done = subprocess.run(
        [CHECKOUT / "script/ros", *command],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "ROS_DOMAIN_ID": str(DOMAIN),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float | None] = json.loads(done.stdout.splitlines()[-1])
    return found


def _sell(market: fleet_stream.Market, folder: Path) -> None:
    """The seller's process: a storefront's service, and the bare ones."""
    import rclpy
    from quipu_interfaces.srv import FetchChunk
    from quipu_nodes.fetch_service import FetchService
    from quipu_nodes.inbox import Inbox
    from quipu_nodes.participant import Participant
    from rclpy.executors import SingleThreadedExecutor

    from ledger.exchange.counter import Counter
    from ledger.exchange.seller import Desk

    sealed, message = os.urandom(SEALED), os.urandom(MESSAGE)

    def bare(_: Any, response: Any) -> Any:
        response.message, response.sealed = message, sealed
        return response

    counter = Counter(Desk(market.bob, market, folder / "sales"), market)
    selling = Participant(DOMAIN, "seller")
    FetchService(selling, [market.bob.account], counter.answer, counter.seal_ahead)
    inbox = Inbox(selling.node, "bare", lambda: None, nap_s=0.0)
    inbox.serve(FetchChunk, "/bare/wait_set", bare)
    inbox.start()
    rclpy.init(args=[], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    node = rclpy.create_node("bare")
    node.create_service(FetchChunk, "/bare/ordinary", bare)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin()


def _carry() -> None:
    """The gateway's process: requests of the fleet's domain, taken on as a gateway node does."""
    from quipu_interfaces.srv import FetchChunk
    from quipu_nodes.inbox import Inbox
    from quipu_nodes.participant import Participant
    from quipu_nodes.relay import Relay, RelaySettings

    relay = Relay(RelaySettings(domain=DOMAIN, most=8, idle_s=30.0, answer_s=5.0))
    inbox = Inbox(Participant(FLEET_DOMAIN, "gateway").node, "carry", lambda: None, nap_s=0.0)
    inbox.serve_later(FetchChunk, "~/fetch_chunk", relay.take)
    inbox.start()
    threading.Event().wait()


def _buy(market: fleet_stream.Market, purchases: list[Callable[..., None]]) -> dict[str, float]:
    """The buyer's process."""
    import rclpy
    from quipu_interfaces.srv import FetchChunk
    from quipu_nodes.exchange_messages import storefront_service
    from quipu_nodes.participant import Participant
    from quipu_nodes.ros_seller import RosSeller
    from quipu_nodes.service_call import ServiceCall
    from rclpy.executors import SingleThreadedExecutor

    chunks, rounds = chunk_count(market.size), len(purchases) // 2
    buying = Participant(DOMAIN, "buyer")
    seller = market.bob.account
    way = RosSeller(buying.node, storefront_service(seller), seller, 60.0)
    fleet = Participant(FLEET_DOMAIN, "robot")
    gateway = RosSeller(fleet.node, "/gateway/fetch_chunk", seller, 60.0)
    past_executor = ServiceCall(buying.node, FetchChunk, "/bare/wait_set", 60.0)
    rclpy.init(args=[])
    node = rclpy.create_node("asker")
    client = node.create_client(FetchChunk, "/bare/ordinary")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    if not client.wait_for_service(60.0):
        raise TimeoutError("the bare service is not found")

    def move(ask: Callable[[Any], Any]) -> None:
        for _ in range(chunks):
            request = FetchChunk.Request(seller=seller, message=bytes(REQUEST))
            if len(ask(request).sealed) != SEALED:
                raise RuntimeError("the bare service gave another chunk")

    def through_gateway(purchase: Callable[..., None]) -> dict[str, float]:
        clocked, asked = _Clocked(gateway), perf_counter()
        purchase(clocked)
        return {"first": clocked.first - asked, "gateway": perf_counter() - clocked.first}

    def one_round(number: int) -> dict[str, float]:
        return {
            "ordinary": seconds_of(lambda: move(client.call)),
            "wait_set": seconds_of(lambda: move(past_executor)),
            "ours": seconds_of(lambda: purchases[number](way)),
            **through_gateway(purchases[rounds + number]),
        }

    taken = take_turns(rounds, one_round)
    executor.shutdown()
    spinning.join(10.0)
    megabytes = market.size / 1e6
    return {
        "stream_ros_mb_s_vs_bare": mid(ratios(taken["ordinary"], taken["ours"])),
        "stream_ros_mb_s": megabytes / mid(taken["ours"]),
        "stream_ros_bare_mb_s": megabytes / mid(taken["ordinary"]),
        "stream_ros_vs_wait_set": mid(ratios(taken["wait_set"], taken["ours"])),
        "stream_ros_wait_set_mb_s": megabytes / mid(taken["wait_set"]),
        "stream_gateway_mb_s": megabytes / mid(taken["gateway"]),
        "stream_gateway_first_s": mid(taken["first"]),
    }


def main() -> None:
    """Measure, as `measure_stream_ros` asks."""
    folder, rounds, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    market = fleet_stream.Market(folder, fleet_stream.Content(size))
    purchases = [market.purchase(fleet_stream.CheckedOnly, True) for _ in range(2 * rounds)]
    others: list[int] = []
    # What both know of grants and channels is there before they part, and before DDS is.
    parts: list[Callable[[], None]] = [lambda: _sell(market, folder), _carry]
    for work in parts:
        others.append(os.fork())
        if not others[-1]:
            work()
            return
    try:
        print(json.dumps(_buy(market, purchases)), flush=True)
    finally:
        for each in others:
            os.kill(each, signal.SIGKILL)
            os.waitpid(each, 0)


if __name__ == "__main__":
    main()
