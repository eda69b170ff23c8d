"""Every verb that is named is there, and who only asks a chain loads none of its rules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from ledger.cli.main import quipu

CLIENTS = ("chain_status", "wallet", "channel")
NOT_FOR_CLIENTS = (
    "ledger.chain.engines.embedded",
    "ledger.chain.machine.machine",
    "ledger.chain.rules.registry",
    "cedarpy",
    "zkproofs",
)
LOAD = """
import importlib, sys
importlib.import_module(f"ledger.cli.{sys.argv[1]}")
print(*(name for name in sys.argv[2:] if name in sys.modules))
"""


def commands(group: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None, (*words, name)
            assert command.name == name, (*words, name)
            yield from commands(command, (*words, name))


def test_every_verb_is_there_under_its_name() -> None:
    found = set(commands(quipu, ()))
    assert {("chain", "report-fork"), ("chain", "fleet", "create"), ("export-tiles",)} <= found
    assert quipu.get_command(click.Context(quipu), "nothing") is None


@pytest.mark.parametrize("verb", CLIENTS)
def test_who_only_asks_a_chain_loads_no_rules(verb: str) -> None:
    words = [sys.executable, "-c", LOAD, verb, *NOT_FOR_CLIENTS]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_carries_out_transactions_loads_all_of_them() -> None:
    words = [sys.executable, "-c", LOAD, "chain_init", *NOT_FOR_CLIENTS]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(NOT_FOR_CLIENTS)
