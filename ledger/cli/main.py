"""Entry point of ``quipu``: finds the verb, runs it, turns errors into exit codes.

Verbs are loaded when they are called, so that ``quipu --help`` and shell
completion stay quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ledger import __version__
from ledger.cli.exit_code import ExitCode
from ledger.cli.failure import failure_of
from ledger.cli.lazy_group import LazyGroup
from ledger.cli.ui import Output, prepare_streams, printing
from ledger.errors import StorageError

# Verb -> (module, what it is for). The order is the one of a robot's life with its log.
VERBS = {
    "init": "make a home for a robot's memory",
    "ingest": "commit recordings to the log",
    "follow": "commit bags while another recorder writes them",
    "log": "list what the log holds",
    "show": "show one entry",
    "get": "get a recording back, as it was recorded",
    "checkpoint": "sign the log as it is now",
    "prove": "write a proof that an entry is in the log",
    "verify": "check a proof, a recording or a chunk against a public key",
    "audit": "check that nothing was altered",
    "status": "show how the home is, and which process has it",
    "export-tiles": "write the log as tlog-tiles for any transparency tool",
    "erase": "destroy a recording and its keys, keeping the log whole",
    "offload": "copy recordings elsewhere, verified",
    "prune": "remove old or large recordings, keeping hashes and proofs",
    "key": "show, back up, restore or rotate the robot's key",
    "witness": "cosign others' checkpoints, and have one's own cosigned",
    "doctor": "look for what is wrong with a home, and mend it",
    "chain": "run a settlement chain, and ask it with proofs",
    "wallet": "keep money of a chain, pay, and see statements",
    "channel": "pay by the piece through a payment channel",
    "contract": "write a sharing contract, try it, and put it on a chain",
    "offer": "offer recordings under a contract, their quality proven",
    "market": "find what is offered, and what it asks for",
    "buy": "buy what is offered, without a name, chunk by chunk",
    "sales": "sell what robots offer, and see what it brought",
    "grant": "see what was granted, and erase what has to go",
    "model": "say what a model was trained on, in the log and on a chain",
    "lineage": "draw where a recording or a model came from",
    "credential": "make members of a fleet, who prove it without saying who",
    "fleet": "make, start and end the robots of one machine",
    "watch": "show the fleet live",
    "completion": "print the script that completes quipu in your shell",
}

DEFAULT_HOME = Path("~/.quipu")

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Invocation:
    """What every verb is told: where the home is and how to print."""

    home: Path
    output: Output


class VerbGroup(LazyGroup):
    """``quipu`` itself: every verb is ``command`` of ``ledger.cli.VERB``."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        verbs = {name: f"ledger.cli.{name.replace('-', '_')}" for name in VERBS}
        super().__init__(*args, verbs=verbs, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of `VERBS`."""
        return list(VERBS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without loading their modules."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def home_option(function: Function) -> Function:
    """Add ``--home`` and ``--json``, which every verb takes."""
    function = click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
    )(function)
    return click.option(
        "--home",
        "home",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="The robot's home [QUIPU_HOME, else ~/.quipu].",
    )(function)


def verb(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function ``(invocation, **parameters)`` the command ``name``."""

    def decorate(function: Callable[..., None]) -> click.Command:
        def run(home: Path | None, as_json: bool, **parameters: Any) -> None:
            context = click.get_current_context()
            outer: dict[str, Any] = context.find_root().obj or {}
            chosen = home or outer.get("home") or _default_home()
            output = Output(as_json=as_json or bool(outer.get("as_json")))
            try:
                function(Invocation(_expanded(chosen), output), **parameters)
            except click.exceptions.Exit:
                raise
            except click.UsageError as error:
                error.ctx = error.ctx or context
                raise
            except BaseException as problem:  # noqa: BLE001 - a verb never ends in a traceback
                context.exit(_report(problem, output))

        run.__doc__ = function.__doc__
        run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        return click.command(name)(home_option(run))

    return decorate


def _default_home() -> Path:
    return Path(os.environ.get("QUIPU_HOME") or DEFAULT_HOME)


def _expanded(home: Path) -> Path:
    try:
        return home.expanduser()
    except RuntimeError as error:  # ~somebody whom nobody knows
        raise StorageError(f"{home}: {error}", hint="name the home by its whole path") from None


def _report(problem: BaseException, output: Output) -> ExitCode:
    """Print what stopped a verb, in one line; the exit status."""
    if os.environ.get("QUIPU_TRACEBACK"):
        import traceback

        traceback.print_exception(problem)
    failure = failure_of(problem)
    output.error(failure.error, failure.data)
    return failure.code


@click.command(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="quipu")
@home_option
@click.pass_context
def quipu(context: click.Context, home: Path | None, as_json: bool) -> None:
    """Tie a robot's experiences into a ledger that anyone can check.

    \b
    quipu init && quipu ingest BAG && quipu checkpoint
    quipu prove 0 -o claim.tlog-proof
    quipu verify claim.tlog-proof --key VKEY
    """
    context.obj = {"home": home, "as_json": as_json}


def main() -> None:
    """Run ``quipu``; the exit status is one of `ExitCode`."""
    prepare_streams()
    try:
        with printing():  # help, versions and completions are printed by click
            code = quipu(prog_name="quipu", standalone_mode=False)
    except SystemExit:
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        if _wants_json():
            code = _report(click.UsageError("Missing command", error.ctx), Output(as_json=True))
        else:
            error.show()
            code = ExitCode.USAGE
    except BaseException as problem:  # noqa: BLE001 - nor does anything before a verb
        code = _report(problem, Output(as_json=_wants_json()))
    sys.exit(code)


def _wants_json() -> bool:
    """Whether the command line asks for JSON, though it may make no sense otherwise."""
    return "--json" in sys.argv[1:]


if __name__ == "__main__":
    main()
