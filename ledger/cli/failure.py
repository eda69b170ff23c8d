"""What can end a verb, said as one error with one exit status.

Verbs raise `LedgerError`. What else can stop them is given the same form here, so
that a person reads one line and a script one JSON object, whatever happened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ledger.cli.exit_code import ExitCode, exit_code_of
from ledger.errors import LedgerError, StorageError


class UsageError(LedgerError):
    """The command line cannot be understood."""


class InterruptedByUserError(LedgerError):
    """Ctrl-C, or the end of input where an answer was asked for."""


class OutOfMemoryError(LedgerError):
    """The machine, or a limit, gives no more memory."""


class InternalError(LedgerError):
    """An error of quipu itself; its text is for whoever mends it."""


class PartlyDoneError(Exception):
    """A verb was stopped (by ``__cause__``) after part of its work was durable.

    ``data`` says which part, and goes into the JSON object beside the error.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__("partly done")
        self.data = data


@contextmanager
def advice(hint: str, *, about: Path | None = None) -> Iterator[None]:
    """Add ``hint`` to an error of the block that says no other, and the file it is about.

    What a library function cannot know, because only the command line does.
    """
    try:
        yield
    except LedgerError as error:
        error.hint = error.hint or hint
        if about is not None and str(about) not in error.message:
            error.message = f"{about}: {error.message}"
        raise


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, the exit status that goes with it, and what was done before it."""

    error: LedgerError
    code: ExitCode
    data: Mapping[str, Any] = field(default_factory=dict)


def failure_of(problem: BaseException) -> Failure:
    """The failure that an exception stands for."""
    match problem:
        case PartlyDoneError(__cause__=BaseException() as cause, data=data):
            failure = failure_of(cause)
            return Failure(failure.error, failure.code, data)
        case InterruptedByUserError():
            return Failure(problem, ExitCode.INTERRUPTED)
        case LedgerError():
            return Failure(problem, exit_code_of(problem))
        case click.ClickException():
            return Failure(_usage(problem), ExitCode.USAGE)
        case click.Abort() | KeyboardInterrupt() | EOFError():
            error = InterruptedByUserError(
                "interrupted", hint="what was committed before is safe; run it again"
            )
            return Failure(error, ExitCode.INTERRUPTED)
        case MemoryError():
            out = OutOfMemoryError(
                "out of memory", hint="end other programs, or raise the limit; nothing was lost"
            )
            return Failure(out, ExitCode.HOME_UNUSABLE)
        case OSError():
            fault = StorageError(_describe(problem), hint="check that path, its owner and the disk")
            return Failure(fault, ExitCode.HOME_UNUSABLE)
        case _:
            internal = InternalError(
                f"internal error: {type(problem).__name__}: {problem}",
                hint="please report it; QUIPU_TRACEBACK=1 shows where it happened",
            )
            return Failure(internal, ExitCode.INTERNAL)


def _usage(error: click.ClickException) -> UsageError:
    message = " ".join(error.format_message().split()).removesuffix(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "quipu"
    return UsageError(message, hint=f"see: {path} --help")


def _describe(error: OSError) -> str:
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
    return f"{where}{error.strerror or error or type(error).__name__}"
