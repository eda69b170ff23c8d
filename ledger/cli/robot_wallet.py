"""A robot's keys as a wallet: what it earned under the key that signs now, and under older ones.

The account of a robot is the key of its log. After `quipu key rotate` there is another account,
and what was earned before lies under the older one: to be spent as long as that key is in the
home. `quipu key retire` destroys it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import click

from ledger.cli.chain_names import parse_account
from ledger.cli.chain_submit import KeySigner, Signer, open_wallet
from ledger.cli.main import Function
from ledger.cli.ui import short
from ledger.ed25519 import PrivateKey
from ledger.errors import KeyStoreError, MalformedError, NotFoundError, RefusedError
from ledger.signing_keys import SigningKeys

_SHORTEST: Final = 4
_FOLDER: Final = click.Path(path_type=Path, readable=False, file_okay=False)


class Held(Enum):
    """Whether a robot's home has the private half of a key."""

    HERE = "here"
    MISSING = "missing"
    """It still signs for the log, and can come back from a backup."""
    RETIRED = "retired"
    """It is destroyed."""


@dataclass(frozen=True, slots=True)
class RobotKey:
    """A key that signs for a robot, or did."""

    account: bytes
    """Its public half, 32 bytes."""
    held: Held
    private: PrivateKey | None = field(repr=False)

    def signer(self) -> Signer:
        """Who signs with it. Raises KeyStoreError, RefusedError where it is not here."""
        if self.private is not None:
            return KeySigner(self.private)
        if self.held is Held.RETIRED:
            raise RefusedError(
                f"key {short(self.account)} was retired, which destroyed it",
                hint="what it has is lost; `quipu wallet balance --robot` says how much",
            )
        raise KeyStoreError(
            f"key {short(self.account)} is not in its home", hint="quipu key restore BACKUP"
        )


@dataclass(frozen=True, slots=True)
class RobotWallet:
    """The keys of one robot."""

    origin: str
    current: RobotKey
    """That which signs now; the newer of two while a rotation is not finished."""
    older: tuple[RobotKey, ...]
    """The newest first."""

    @classmethod
    def open(cls, root: Path) -> RobotWallet:
        """The keys that a home knows of. Raises StorageError, and KeyStoreError for a key file
        that others can read or that holds something else."""
        from ledger.home import open_home  # slow to load, and most wallets are no robot's

        with open_home(root.expanduser()) as home:
            origin, active = home.log.origin, home.vkeys
            stored = SigningKeys(home.paths.signing_keys)
            keys = [
                RobotKey(
                    bytes(vkey.public_key),
                    Held.HERE if here else Held.MISSING if vkey in active else Held.RETIRED,
                    stored.signer(vkey).private_key if here else None,
                )
                for vkey in home.log.known_keys()
                for here in [stored.path_of(vkey).exists()]
            ]
        # Known in the order in which they came, so the newest is the last that is active.
        current = next(each for each in keys if each.account == bytes(active[-1].public_key))
        return cls(origin, current, tuple(each for each in reversed(keys) if each is not current))

    def choose(self, digits: str | None) -> RobotKey:
        """The key whose account begins so; without digits the current one.

        Raises MalformedError, NotFoundError.
        """
        if digits is None:
            return self.current
        keys = (self.current, *self.older)
        found = [each for each in keys if each.account.hex().startswith(digits.lower())]
        if len(digits) < _SHORTEST or not found:
            raise NotFoundError(
                f"{self.origin} never had a key {digits[:64]!r}",
                hint="`quipu wallet show --robot` lists its keys",
            )
        if len(found) > 1:
            raise MalformedError(f"{len(found)} keys begin with {digits}", hint="write more of it")
        return found[0]


def robot_wallet_options(function: Function) -> Function:
    """Add ``--robot`` and ``--key``: for verbs that take a robot in the place of a wallet."""
    function = click.option(
        "--key", "key", metavar="DIGITS", help="With --robot: that older key, by its first digits."
    )(function)
    return click.option(
        "--robot", "robot", type=_FOLDER, help="The robot whose home this is, and not a wallet."
    )(function)


def robot_named(robot: Path | None, key: str | None, wallet: Path | None) -> RobotWallet | None:
    """The robot that options name, if they name one. Raises as `RobotWallet.open`."""
    if robot is None:
        if key is not None:
            raise click.UsageError("--key is of a robot: give --robot as well")
        return None
    if wallet is not None:
        raise click.UsageError("give --robot or --wallet")
    return RobotWallet.open(robot)


def signer_named(robot: Path | None, key: str | None, wallet: Path | None) -> Signer:
    """Who signs, as options say: a robot's key, or a wallet. Raises as both do."""
    found = robot_named(robot, key, wallet)
    return open_wallet(wallet) if found is None else found.choose(key).signer()


def account_named(
    robot: Path | None, key: str | None, wallet: Path | None
) -> tuple[bytes, RobotWallet | None]:
    """The account that options name, and the robot if it is one's."""
    found = robot_named(robot, key, wallet)
    if found is None:
        return open_wallet(wallet).account, None
    return found.choose(key).account, found


def account_given(
    chain: bytes, account: str, robot: Path | None, key: str | None
) -> tuple[bytes, None]:
    """The account that an argument names, beside which no robot is named."""
    if robot is not None or key is not None:
        raise click.UsageError("give ACCOUNT or --robot")
    return parse_account(account, chain), None
