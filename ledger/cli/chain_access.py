"""A chain as verbs reach it: through the engine that serves it, or in this process.

Whatever is read of the state is checked against the keys of the chain's own home, so that
what is printed is what its operator signed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import click

from ledger.chain.account import Account
from ledger.chain.body import Message
from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.service import Block, ChainService, NoEngineError
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.engines.stored import StoredChain
from ledger.chain.genesis import Genesis
from ledger.chain.light.answer import VerifiedAnswer, verify_answer
from ledger.chain.light.trust import Trust
from ledger.chain.machine.home import existing_chain, open_chain
from ledger.chain.machine.proposal import Info
from ledger.chain.state_keys import account_key
from ledger.cli.main import Function
from ledger.errors import LockedError
from ledger.schema.canonical import parse_message

if TYPE_CHECKING:
    from ledger.chain.engines.embedded import EmbeddedEngine

DEFAULT_CHAIN: Final = Path("~/.quipu-chain")
LIBRARY: Final = EngineSettings(block_period_s=0.0, signature_processes=0)
"""For one transaction now and then: nothing to wait for, nobody to share the work with."""

M = TypeVar("M", bound=Message)


class ChainView(Protocol):
    """What reading verbs ask of a chain."""

    def info(self) -> Info:
        """The newest durable block."""
        ...

    def genesis(self) -> bytes:
        """The message of the genesis."""
        ...

    def block(self, height: int) -> Block:
        """A whole block."""
        ...

    def receipt(self, transaction: bytes) -> bytes:
        """The receipt of a transaction."""
        ...

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        """What the state says of a key."""
        ...

    def checkpoint(self) -> bytes:
        """The newest checkpoint."""
        ...


@dataclass(frozen=True, slots=True)
class ChainAccess:
    """A chain to read from."""

    root: Path
    view: ChainView = field(repr=False)
    genesis: Genesis
    trust: Trust
    served: bool
    """Whether an engine in another process serves it."""

    @property
    def chain(self) -> bytes:
        """The chain's id."""
        return self.genesis.chain

    def look_up(self, key: bytes, height: int | None = None) -> VerifiedAnswer:
        """What the state says of a key, its proof checked."""
        return verify_answer(self.view.answer(key, height), key, self.trust)

    def read(self, record: type[M], key: bytes) -> M | None:
        """The record at a key, its proof checked; None if there is none."""
        value = self.look_up(key).value
        return None if value is None else parse_message(record, value, record.DESCRIPTOR.name)

    def account(self, name: bytes) -> Account | None:
        """An account, its proof checked; None where nothing was ever paid to it."""
        row = self.look_up(account_key(name)).value
        return None if row is None else Account.decode(row)


@dataclass(frozen=True, slots=True)
class ChainWork(ChainAccess):
    """A chain to submit to."""

    service: ChainService = field(repr=False)


def chain_option(function: Function) -> Function:
    """Add ``--chain``, which every verb that speaks to a chain takes."""
    return click.option(
        "--chain",
        "chain_home",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="The chain's home [QUIPU_CHAIN, else ~/.quipu-chain].",
    )(function)


def chain_root(chosen: Path | None) -> Path:
    """The home that ``--chain`` or the environment names."""
    return (chosen or Path(os.environ.get("QUIPU_CHAIN") or DEFAULT_CHAIN)).expanduser()


@contextmanager
def reading(chosen: Path | None) -> Iterator[ChainAccess]:
    """Reach a chain to read from it. Raises StorageError where there is none."""
    root = chain_root(chosen)
    trust, genesis = _trust(root)
    try:
        client = ChainClient.at_home(root)
    except NoEngineError:
        with open_chain(root) as home:
            yield ChainAccess(root, StoredChain(home), genesis, trust, served=False)
        return
    with client:
        yield ChainAccess(root, client, genesis, trust, served=True)


@contextmanager
def working(chosen: Path | None) -> Iterator[ChainWork]:
    """Reach a chain to submit to it, as its engine for the while if it has none.

    Raises StorageError where there is none, LockedError while a process has it that
    serves nobody.
    """
    root = chain_root(chosen)
    trust, genesis = _trust(root)
    try:
        client = ChainClient.at_home(root)
    except NoEngineError:
        with _own_engine(root) as engine:
            yield ChainWork(root, engine, genesis, trust, False, engine)
        return
    with client:
        yield ChainWork(root, client, genesis, trust, True, client)


def _own_engine(root: Path) -> EmbeddedEngine:
    # Every rule and every proof comes with it: who asks an engine that runs need not wait.
    from ledger.chain.engines.embedded import EmbeddedEngine

    # What stops the engine is raised here, and said in one line; its log is for services.
    logging.getLogger("ledger.chain").addHandler(logging.NullHandler())
    try:
        return EmbeddedEngine.open(root, LIBRARY)
    except LockedError as error:
        error.hint = "another process has the chain, and serves nobody; let it serve, or end it"
        raise


def _trust(root: Path) -> tuple[Trust, Genesis]:
    existing_chain(root)
    with open_chain(root) as home:
        genesis = Genesis.parse(StoredChain(home).genesis())
        return Trust(genesis.chain, home.vkeys), genesis
