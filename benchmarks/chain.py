"""The settlement chain measured beside bare signatures and hashes, in the same run.

``python -m benchmarks.chain [--json] [--accounts N] [--rounds N]``: progress goes to standard
error, the result to standard output, as one JSON object or as a table. Each section has a
module of its own, ``chain_transfers`` and so on.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from rich.console import Console

from benchmarks.chain_anchors import measure_anchors
from benchmarks.chain_channel import measure_channel
from benchmarks.chain_light import measure_light
from benchmarks.chain_replay import measure_replay
from benchmarks.chain_state import measure_state
from benchmarks.chain_transfers import Bench
from benchmarks.machine import machine_facts
from benchmarks.measure import mid
from benchmarks.report import Field
from benchmarks.tables import show

ACCOUNTS = 1_000_000
FEW_ACCOUNTS = 1_000
ROUNDS = 5
TRANSFERS = 15_000
"""In a turn: three full blocks."""
ROBOTS = 10_000

FIELDS = (
    Field("transfer_tx_vs_ed25519", "transfers over bare verifications of as many", 0.4),
    Field("transfer_tx_per_s", "transfers a second, in process"),
    Field("transfer_socket_tx_per_s", "the same over the socket"),
    Field("transfer_socket_vs_library", "the one over the other", 0.5),
    Field("anchor_tx_per_s", "anchors a second, in process"),
    Field("payword_per_s", "PayWord links checked a second", 500_000),
    Field("voucher_vs_ed25519", "vouchers over bare verifications", 0.8),
    Field("state_proof_bytes", "the largest proof of an account, bytes", at_most=1_000),
    Field("state_proof_per_s", "state proofs a second", 10_000),
    Field("tx_cost_growth", "time a transfer, all accounts over 1,000", at_most=2.5),
    Field("robots_10k_core_share", "10,000 robots anchoring once a minute, cores", at_most=0.5),
    Field("light_client_ms", "header and state proof checked, ms", at_most=2),
    Field("replay_vs_live", "replaying a chain, times as fast as making it", 1.0),
)


def run(folder: Path, accounts: int, rounds: int) -> dict[str, object]:
    """Measure everything; the JSON object of the run."""
    started = perf_counter()

    def say(text: str) -> None:
        print(f"bench chain {perf_counter() - started:6.1f} s: {text}", file=sys.stderr)

    say(f"a chain of {accounts:,} accounts")
    large = Bench.make(folder, accounts)
    gc.freeze()
    library = large.in_process(TRANSFERS, rounds, say)
    say("the same over a socket")
    sockets = large.over_socket(TRANSFERS, rounds, say)
    say("a light client")
    light = measure_light(large)
    say(f"a chain of {FEW_ACCOUNTS:,} accounts")
    small = Bench.make(folder, FEW_ACCOUNTS).in_process(TRANSFERS, rounds, say)
    say("channels")
    channel = measure_channel(rounds)
    say(f"{ROBOTS:,} robots")
    anchors = measure_anchors(folder, ROBOTS, rounds)
    say("replay")
    replay = measure_replay(folder, rounds, say)
    state = measure_state(folder, accounts, rounds, say)
    figures: dict[str, float] = {**state, **light, **channel, **anchors, **replay}
    figures["transfer_tx_vs_ed25519"] = mid([turn.bare / turn.engine for turn in library])
    figures["transfer_tx_per_s"] = TRANSFERS / mid([turn.engine for turn in library])
    figures["transfer_socket_tx_per_s"] = TRANSFERS / mid([turn.engine for turn in sockets])
    figures["transfer_socket_vs_library"] = mid(
        [turn.bare / turn.engine for turn in sockets]
    ) / mid([turn.bare / turn.engine for turn in library])
    figures["tx_cost_growth"] = mid([turn.engine / turn.bare for turn in library]) / mid(
        [turn.engine / turn.bare for turn in small]
    )
    judged = {field.name: field.judge(figures[field.name]) for field in FIELDS}
    return {
        **{field.name: figures.pop(field.name) for field in FIELDS},
        "accounts": accounts,
        "bounds": {name: verdict for name, verdict in judged.items() if verdict is not None},
        "figures": figures,
        "turns": {
            name: {"engine_s": [t.engine for t in turns], "bare_s": [t.bare for t in turns]}
            for name, turns in (("library", library), ("socket", sockets), ("few", small))
        },
        "machine": machine_facts(folder),
    }


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(prog="script/bench chain", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="turns of each")
    options = parser.parse_args()
    if options.rounds < 1 or options.accounts < FEW_ACCOUNTS:
        parser.error(f"--rounds is 1 or more, --accounts {FEW_ACCOUNTS} or more")
    with tempfile.TemporaryDirectory(prefix="quipu-bench-") as name:
        # What the chains publish is remembered beside them, and goes with them.
        os.environ["QUIPU_PUBLISHED"] = str(Path(name) / "published")
        result = run(Path(name), options.accounts, options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show("settlement chain", FIELDS, result, Console())


if __name__ == "__main__":
    main()
