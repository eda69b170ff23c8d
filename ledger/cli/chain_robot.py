"""A robot as a chain knows it: its log's name, its keys, its newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.chain.codes import ResultCode
from ledger.cli.chain_names import parse_fleet
from ledger.cli.chain_submit import KeySigner, Signer, Terms
from ledger.cli.main import Function
from ledger.ed25519 import PrivateKey
from ledger.signing_keys import SigningKeys

if TYPE_CHECKING:
    from ledger.home import HomeReader


@dataclass(frozen=True, slots=True)
class RobotHome:
    """A robot's home, opened to read, and the private keys that sign for the robot now."""

    home: HomeReader = field(repr=False)
    origin: str
    keys: tuple[PrivateKey, ...] = field(repr=False)
    """The newest last."""


@contextmanager
def robot_home(root: Path) -> Iterator[RobotHome]:
    """Open a robot's home. Raises StorageError, and KeyStoreError for keys that are not there."""
    from ledger.home import open_home  # slow to load, and most verbs of chains need no robot

    with open_home(root.expanduser()) as home:
        signers = SigningKeys(home.paths.signing_keys).signers(home.vkeys)
        yield RobotHome(home, home.log.origin, tuple(each.private_key for each in signers))


def robot_option(function: Function) -> Function:
    """Add ``--robot``."""
    return click.option(
        "--robot",
        "robot",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="The robot's home [that of --home].",
    )(function)


def sponsor_option(function: Function) -> Function:
    """Add ``--sponsor``."""
    return click.option("--sponsor", metavar="FLEET", help="Have this fleet's pool pay the fee.")(
        function
    )


def funds_hint(signer: Signer, terms: Terms) -> dict[ResultCode, str]:
    """What to do about too little money where the robot's own account is to pay a fee."""
    if terms.sponsor or not isinstance(signer, KeySigner):
        return {}
    hint = "the robot's own account has too little: --wallet AUTHORITY, or --sponsor FLEET"
    return dict.fromkeys((ResultCode.INSUFFICIENT_FUNDS, ResultCode.UNKNOWN_ACCOUNT), hint)


def sponsored(fee: str | None, sponsor: str | None, chain: bytes) -> Terms:
    """What a transaction costs, and who pays."""
    return Terms(fee, parse_fleet(sponsor, chain) if sponsor else b"")
