"""``quipu witness serve``: a witness for logs on other domains and sites, over HTTP."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.cli.witness_policy import policy_option, read_policy
from ledger.errors import RefusedError, StorageError
from ledger.witnessing.follower import Follower, Forked
from ledger.witnessing.gossip import hear_witnesses
from ledger.witnessing.http_client import HttpWitness
from ledger.witnessing.http_server import WitnessHttpServer
from ledger.witnessing.policy import Policy
from ledger.witnessing.service import WitnessService
from ledger.witnessing.standalone import WitnessFolder

_LOOPBACK = ("127.", "::1", "localhost")
_MAX_PORT = 65_535


class _Address(click.ParamType[tuple[str, int]]):
    """PORT, HOST:PORT or [IPv6]:PORT."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the option."""
        if isinstance(value, tuple):
            return value
        host, colon, port = str(value).rpartition(":")
        host = host if colon else "127.0.0.1"
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            host = ""
        if not host or not (port.isascii() and port.isdigit()) or int(port[:6]) > _MAX_PORT:
            self.fail(f"{value!a} is not PORT, HOST:PORT or [IPv6]:PORT", param, ctx)
        return host, int(port)


def _others(policy: Policy, follower: Follower) -> dict[str, HttpWitness]:
    own = follower.signer.verifier_key
    return {
        each.name: HttpWitness(each.url)
        for each in policy.witnesses
        if each.url and each.key.public_key != own.public_key
    }


def _compare(
    follower: Follower, others: Mapping[str, HttpWitness], tell: Callable[[Forked], None]
) -> None:
    for _, outcome in hear_witnesses(follower, others):
        if isinstance(outcome, Forked) and outcome.new:
            tell(outcome)


@verb("serve")
@policy_option
@click.option(
    "--state",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    required=True,
    help="The witness's folder: its key and what it has recorded.",
)
@click.option(
    "--listen",
    type=_Address(),
    default="127.0.0.1:8347",
    show_default=True,
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--compare",
    "compare_s",
    type=click.FloatRange(min=0),
    default=0,
    help="Ask the policy's other witnesses every so many seconds what they recorded [0: never].",
)
@click.option("--prefix", default="", help="The path before /add-checkpoint.")
def serve(
    invocation: Invocation,
    policy_file: Path,
    state: Path,
    listen: tuple[str, int],
    compare_s: float,
    prefix: str,
) -> None:
    """Cosign the checkpoints of a policy's logs, for whoever brings them, until stopped.

    It speaks plain HTTP (C2SP tlog-witness): put a reverse proxy with TLS before it
    where strangers can reach it. Make its key first: quipu witness key --state DIR
    --create NAME.
    """
    policy = read_policy(policy_file)
    if not policy.logs:
        raise RefusedError(f"{policy_file} lists no log to witness", hint="add a `log VKEY` line")
    if prefix and (not prefix.startswith("/") or not prefix.isascii() or not prefix.isprintable()):
        raise click.UsageError("--prefix is a path that begins with /")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def tell(forked: Forked) -> None:
        invocation.output.note(f"ALARM: {forked.evidence}")

    with WitnessFolder(state).open(policy) as follower:
        server = WitnessHttpServer(WitnessService(follower, tell), *listen, prefix=prefix)
        server.start()
        try:
            vkey = follower.signer.verifier_key.encode()
            invocation.output.text(
                {"url": server.url, "vkey": vkey, "logs": list(policy.origins)},
                f"[green]witnessing[/] {len(policy.origins)} log(s) at {escape(server.url)}",
                f"verifier key: {escape(vkey)}",
            )
            sys.stdout.flush()
            if not listen[0].startswith(_LOOPBACK):
                invocation.output.note("plain HTTP, open to the network: is there a TLS proxy?")
            others = _others(policy, follower)
            while not stop.wait(compare_s or None):
                try:
                    _compare(follower, others, tell)
                except StorageError as error:  # requests are answered with it, too
                    invocation.output.note(error.message)
        finally:
            server.close()
