"""A process that has imported ``quipu`` and runs each command in a fork of itself.

To start Python and import everything takes half a second, a fork hundredths of one;
what runs in it is a process of its own all the same, with its own environment, folder,
limits, standard streams and exit status. Requests come one JSON object a line on
standard input, exit statuses go back on standard output.

``python -m tests.cli.command_server`` may be started inside a mount namespace, or with
fewer capabilities: its commands then run there.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import traceback
from typing import Any

from ledger.cli.main import VERBS, main


def serve() -> None:
    for name in VERBS:
        importlib.import_module(f"ledger.cli.{name.replace('-', '_')}")
    gc.freeze()  # what every command shares stays shared
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(request)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> None:
    """Be the command that ``request`` describes, and end."""
    code = 1
    try:
        for number, name, flags in (
            (0, "stdin", os.O_RDONLY),
            (1, "stdout", os.O_WRONLY),
            (2, "stderr", os.O_WRONLY),
        ):
            opened = os.open(request[name], flags)
            os.dup2(opened, number)
            os.close(opened)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        for limit, value in request["limits"].items():
            number = getattr(resource, limit)
            resource.setrlimit(number, (value, resource.getrlimit(number)[1]))
        sys.argv = ["quipu", *request["arguments"]]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what Python itself would do at the end
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    serve()
