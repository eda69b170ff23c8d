"""The zero-knowledge kit measured against its peers and the bare primitives it is made of.

``python -m benchmarks.zk [--json] [--rounds N]``: progress goes to standard error, the
result to standard output, as one JSON object or as a table. Each section has a module of
its own, ``zk_range`` and so on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

from rich.console import Console

from benchmarks import zk_bbs, zk_credential, zk_range
from benchmarks.machine import machine_facts
from benchmarks.measure import mid, take_turns
from benchmarks.report import Field
from benchmarks.tables import show

ROUNDS = 9
IMPORTS = 5
LIBRARIES = ("py-arkworks-bls12381", "py_ecc", "zksnake")

FIELDS = (
    Field("range64_prove_vs_zksnake", "a 64-bit range proof, times as fast as zksnake's", 3),
    Field("range64_verify_vs_zksnake", "verifying it, times as fast as zksnake's", 4.5),
    Field(
        "range64_verify_vs_msm",
        "the same with decoding, over one bare multiplication of as many points",
        at_most=1.4,
    ),
    Field("range64_batch64_each", "one of a batch of 64 over a single one", at_most=0.2),
    Field("bbs_proof_verify_vs_pairing", "verifying a BBS proof over one pairing", at_most=4.2),
    Field("bbs_batch64_each", "one of a batch of 64, over one pairing", at_most=0.6),
    Field("credential_present_ms", "presenting a credential, ms"),
    Field("credential_check_ms", "checking a presentation, ms"),
    Field("credential_check_vs_parts", "the same over the sum of its bare parts", at_most=1.5),
    Field("import_s", "import zkproofs, in seconds", at_most=0.3),
)


def run(rounds: int) -> dict[str, object]:
    """Measure everything; the JSON object of the run."""
    started = perf_counter()

    def say(text: str) -> None:
        print(f"bench zk {perf_counter() - started:6.1f} s: {text}", file=sys.stderr)

    say(f"range proofs, {rounds} rounds")
    ranges = zk_range.measure_range(rounds)
    say(f"BBS, {rounds} rounds")
    bbs = zk_bbs.measure_bbs(rounds)
    say(f"credentials, {rounds} rounds")
    credential = zk_credential.measure_credential(rounds)
    say("imports")
    imports = take_turns(IMPORTS, lambda _: {"import_s": import_seconds()})
    fields: dict[str, float | None] = {**ranges.fields, **bbs.fields, **credential.fields}
    fields["import_s"] = mid(imports["import_s"])
    judged = {field.name: field.judge(fields[field.name]) for field in FIELDS}
    with tempfile.TemporaryDirectory() as folder:
        machine = machine_facts(Path(folder)) | {name: version_of(name) for name in LIBRARIES}
    return {
        **{field.name: fields[field.name] for field in FIELDS},
        "bounds": {name: verdict for name, verdict in judged.items() if verdict is not None},
        "figures": {**ranges.figures, **bbs.figures, **credential.figures},
        "turns": {**ranges.turns, **credential.turns, **imports},
        "machine": machine,
    }


def import_seconds() -> float:
    """Of all of ``zkproofs`` that a verifier of proofs imports, in a fresh interpreter."""
    program = (
        "from time import perf_counter; start = perf_counter(); "
        "import zkproofs, zkproofs.range_proof, zkproofs.credential; print(perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return float(done.stdout)


def version_of(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(prog="script/bench zk", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="turns of each")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is 1 or more")
    result = run(options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show("zero-knowledge kit", FIELDS, result, Console())


if __name__ == "__main__":
    main()
