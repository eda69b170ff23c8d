"""``quipu lineage``: where a recording or a model came from, and what it went into."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from ledger.chain.state_keys import offer_key
from ledger.cli.chain_access import ChainAccess, chain_option, chain_root, reading
from ledger.cli.entry_choice import find_entry
from ledger.cli.lineage_view import (
    entry_on_chain_json,
    lineage_json,
    model_json,
    show_entry_on_chain,
    show_lineage,
    show_model,
)
from ledger.cli.main import Invocation, verb
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.entry import Acquisition, Experience, Training, parse_entry
from ledger.home import HomeReader, open_home
from ledger.lineage.chain_facts import ChainFacts
from ledger.lineage.chain_lineage import TradeIndex, entry_on_chain, model_on_chain
from ledger.lineage.home_lineage import lineage_of
from ledger.schema.chain_sharing_pb2 import OfferRecord

_ID: Final = re.compile("[0-9a-f]{64}")


@verb("lineage")
@click.argument("what")
@chain_option
def command(invocation: Invocation, what: str, chain_home: Path | None) -> None:
    """Draw what WHAT came from, and which models it went into.

    WHAT is an entry of the robot's log, by its index or the start of a record id. Or the
    whole id of a model or an offer on a chain, or the leaf hash of an entry that was offered
    there. With a chain it is told too what was erased, and whose consent was withdrawn.
    """
    with _named_chain(chain_home) as access:
        if _ID.fullmatch(what):
            if access is None:
                raise NotFoundError(
                    f"there is no chain to ask about {what[:8]}...", hint="name one: --chain"
                )
            _tell_of_chain(invocation, access, bytes.fromhex(what))
            return
        facts = ChainFacts(access.chain, access) if access is not None else None
        with open_home(invocation.home) as home:
            lineage = lineage_of(home.experiences, record_of(home, what), facts)
    invocation.output.result(lineage_json(lineage), lambda console: show_lineage(console, lineage))


def record_of(home: HomeReader, what: str) -> bytes:
    """The record that an entry is about. Raises NotFoundError, RefusedError."""
    index = find_entry(home.log, what)
    kind = parse_entry(home.log.entry(index)).kind
    if isinstance(kind, Experience | Acquisition | Training):
        return kind.record_id
    raise RefusedError(
        f"entry {index} is of no recording and no model", hint="`quipu log` lists them"
    )


def trades_of(access: ChainAccess) -> TradeIndex:
    """What all of a chain's blocks say of offers, grants and models."""
    index = TradeIndex(access.chain)
    for height in range(1, access.view.info().height + 1):
        block = access.view.block(height)
        index.take(block.transactions, block.results)
    return index


@contextmanager
def _named_chain(chosen: Path | None) -> Iterator[ChainAccess | None]:
    """The chain that ``--chain`` or the environment names, if there is one there."""
    root = chain_root(chosen)
    if chosen is None and ("QUIPU_CHAIN" not in os.environ or not root.exists()):
        yield None
        return
    with reading(chosen) as access:
        yield access


def _tell_of_chain(invocation: Invocation, access: ChainAccess, name: bytes) -> None:
    facts = ChainFacts(access.chain, access)
    model = model_on_chain(facts, name)
    if model is not None:
        invocation.output.result(model_json(model), lambda console: show_model(console, model))
        return
    offer = access.read(OfferRecord, offer_key(name))
    entry = entry_on_chain(facts, trades_of(access), offer.leaf if offer is not None else name)
    if entry is None:
        raise NotFoundError(
            f"the chain knows no model, no offer and no entry {name.hex()}",
            hint="`quipu model list FLEET` lists a fleet's models, `quipu market` what is offered",
        )
    invocation.output.result(
        entry_on_chain_json(entry), lambda console: show_entry_on_chain(console, entry)
    )
