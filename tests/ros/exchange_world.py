"""Two fleets on a chain, with their nodes as processes: who sells, a gateway, robots that buy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from ledger.chain.engines.server import ChainServer
from ledger.chain.light.trust_file import encode_trust
from ledger.exchange.messages import Reply
from ledger.market.delivery import kept_deed
from tests.fleet.sharing_market import BUYERS, Offered, Robot
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import ROOT, Ros, Running, own_domain

ACTION: Final = "quipu_interfaces/action/AcquireExperience"
GATEWAY: Final = "/gateway"


class ExchangeWorld(BuyersWorld):
    """The chain is served over a socket. Each fleet has a DDS domain, and so has the market."""

    def __init__(self, root: Path, held: ExitStack, ros: Ros) -> None:
        super().__init__(root, held)
        self.ros: Final = ros
        """Where the buyers' robots are."""
        self.market: Final = Ros(held.enter_context(own_domain()))
        self.sellers_ros: Final = Ros(held.enter_context(own_domain()))
        self.socket: Final = root / "chain.sock"
        server = ChainServer(self.engine, self.socket)
        held.callback(server.close)
        self.trust_file: Final = root / "chain.trust"
        self.trust_file.write_bytes(encode_trust(self.trust))
        self.sales: Final = root / "storefront-sales"

    @contextmanager
    def storefront(
        self,
        *robots: Robot,
        pause_s: float = 0.0,
        die_after: int = 0,
        cheats: bool = False,
        spoils: str = "",
        **parameters: Any,
    ) -> Iterator[Running]:
        """A storefront that sells out of robots' homes; slow, or killed after some answers.

        One that ``cheats`` gives a wrong unit of what it sells whole; of what it streams, one
        that ``spoils`` the recordings of this origin.
        """
        settings = self._parameters(
            "/storefront",
            {
                "chain.trust": str(self.trust_file),
                "chain.socket": str(self.socket),
                "market.domain_id": self.market.domain,
                "wallets": [str(self.root / "sellers")],
                "homes": [str(each.home.paths.root) for each in robots or (self.husky,)],
                "sales": str(self.sales),
                **parameters,
            },
        )
        program: tuple[str | Path, ...] = ("-m", "quipu_nodes.market")
        if pause_s or die_after:
            program = (ROOT / "tests/ros/slow_storefront.py", str(pause_s), str(die_after))
        elif cheats:
            program = (ROOT / "tests/ros/cheating_storefront.py",)
        elif spoils:
            program = (ROOT / "tests/ros/cheating_storefront.py", spoils)
        arguments = ("sell", "--ros-args", "--params-file", settings)
        with self.sellers_ros.start("python", *program, *arguments) as running:
            says = re.compile("sells for|is not open")
            eventually(lambda: says.search(running.output), lambda: running.output)
            yield running

    @contextmanager
    def gateway(self, **parameters: Any) -> Iterator[Running]:
        """The buyers' gateway."""
        settings = self._parameters(
            "/gateway",
            {
                "chain.trust": str(self.trust_file),
                "chain.socket": str(self.socket),
                "fleet": BUYERS,
                "authority": str(self.root / "buyers"),
                "paid": str(self.root / "paid"),
                "market.domain_id": self.market.domain,
                **parameters,
            },
        )
        arguments = ("--ros-args", "--params-file", settings)
        with self.ros.start("python", "-m", "quipu_nodes.market", "buy", *arguments) as running:
            yield running

    @contextmanager
    def buyer(
        self, name: str, member: Path, *program: str | Path, **parameters: Any
    ) -> Iterator[Running]:
        """A robot's exchange node, in a process of its own."""
        settings = self._parameters(
            f"/{name}/exchange",
            {
                "chain.trust": str(self.trust_file),
                "chain.socket": str(self.socket),
                "member": str(member),
                "purchases": str(self.purchases(name)),
                **parameters,
            },
        )
        command = program or ("-m", "quipu_nodes.exchange")
        arguments = ("--ros-args", "-r", f"__ns:=/{name}", "--params-file", settings)
        with self.ros.start("python", *command, *arguments) as running:
            yield running

    def purchases(self, name: str) -> Path:
        """What a robot buys."""
        return self.root / "purchases" / name

    def enrolled(self, robot_id: int, level: int = 3) -> Path:
        """A credential's file, with the gaps beside it."""
        file = self.member_file(robot_id, level)
        file.gaps.write_bytes(self.issuer.gaps())
        return file.path

    def folders(self, name: str) -> list[Path]:
        """A robot's acquisitions."""
        return sorted(self.purchases(name).glob("*/*.[0-9]*"))

    def bought(self, name: str) -> bytes:
        """The content of a robot's only acquisition, as it lies in its folder."""
        (folder,) = self.folders(name)
        return self.content_of(folder)

    @staticmethod
    def content_of(folder: Path) -> bytes:
        """The content of an acquisition, in the order of its entry."""
        files = kept_deed(folder).files
        return b"".join((folder / "files" / file).read_bytes() for file, _ in files)

    def _parameters(self, node: str, parameters: dict[str, Any]) -> Path:
        path = self.root / f"{self.name('parameters')}.yaml"
        path.write_text(json.dumps({node: {"ros__parameters": parameters}}))
        return path


class GraphTransport:
    """A `ledger.exchange.transport.Transport` of a test's: a service, asked by a `Graph`."""

    def __init__(self, graph: Graph, service: str, seller: bytes) -> None:
        self._graph = graph
        self._service = service
        self._seller = seller

    def ask(self, request: bytes) -> Reply:
        """What the service brings."""
        answer = self._graph.call(
            self._service,
            "quipu_interfaces/srv/FetchChunk",
            seller=self._seller.hex(),
            message=request.hex(),
        )
        assert not answer["error_code"], answer["error_msg"]
        return Reply(bytes.fromhex(answer["message"]), bytes.fromhex(answer["sealed"]))


class Acquiring:
    """A goal that was sent."""

    def __init__(self, graph: Graph, name: str, offered: Offered, **fields: Any) -> None:
        self._graph = graph
        goal = {"offer": offered.offer.hex(), "purpose": "training", **fields}
        action = f"/{name}/exchange/acquire_experience"
        self._goal: str = graph.ask("send_goal", action=action, kind=ACTION, fields=goal)

    @property
    def feedback(self) -> list[dict[str, Any]]:
        """What was heard so far."""
        heard: list[dict[str, Any]] = self._graph.ask("feedback", goal=self._goal)
        return heard

    def cancel(self) -> None:
        """Ask for the goal's end."""
        self._graph.ask("cancel", goal=self._goal)

    def result(self) -> dict[str, Any]:
        """The result, once there is one."""
        found: dict[str, Any] = eventually(
            lambda: self._graph.ask("result", goal=self._goal), lambda: self.feedback[-1:]
        )
        return found
