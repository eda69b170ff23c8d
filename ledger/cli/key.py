"""``quipu key``: show, back up, restore, rotate and retire the robot's key."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from ledger.cli.failure import advice
from ledger.cli.files import read_input, write_result
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import RefusedError
from ledger.home import open_home
from ledger.key_change import retire_key, rotate_key
from ledger.memory.borrowing import borrow_home
from ledger.signing_keys import SigningKeys, open_backup


@click.group("key")
def command() -> None:
    """Show, back up, restore, rotate and retire the robot's key."""


def _passphrase(function: Function) -> Function:
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, readable=False, dir_okay=False),
        help="Read the passphrase from the first line of this file instead of asking.",
    )(function)


def _ask(file: Path | None, *, confirm: bool) -> bytes:
    if file is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise click.UsageError("no terminal to ask for a passphrase: give --passphrase-file")
        asked: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)
        return asked.encode()
    return read_input(file, "a passphrase").split(b"\n", 1)[0]


@verb("show")
def show(invocation: Invocation) -> None:
    """Show the verifier keys that others check this robot with."""
    with open_home(invocation.home) as home:
        active = [key.encode() for key in home.vkeys]
        known = [key.encode() for key in home.log.known_keys()]

    def write(console: Console) -> None:
        # The output is a file of keys as --key takes it: retired ones stay, old proofs need them.
        for vkey in known:
            if vkey not in active:
                console.print(f"# retired:\n{escape(vkey)}", soft_wrap=True)
        for vkey in active:
            console.print(escape(vkey), soft_wrap=True)

    invocation.output.result({"active": active, "known": known}, write)


@verb("backup")
@click.argument("file", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@_passphrase
def backup(invocation: Invocation, file: Path, passphrase_file: Path | None) -> None:
    """Write the private keys to FILE, sealed under a passphrase.

    Salt and content keys of recordings are not in it: a backup of those would survive
    an erasure.
    """
    if file.exists():
        raise RefusedError(f"{file} exists", hint="choose another file")
    with open_home(invocation.home) as home:
        vkeys = home.vkeys
        keys = SigningKeys(home.paths.signing_keys)
    keys.signers(vkeys)  # refuse before asking
    passphrase = _ask(passphrase_file, confirm=True)
    with advice("choose one of several words"):
        sealed = keys.back_up(vkeys, passphrase)
    write_result(file, sealed, private=True)
    invocation.output.text(
        {"file": str(file), "keys": [key.encode() for key in vkeys]},
        f"[green]backed up[/] {len(vkeys)} key(s) to {escape(str(file))}; keep it off this robot",
    )


@verb("restore")
@click.argument("file", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@_passphrase
@click.option("--force", is_flag=True, help="Replace key files that are there.")
def restore(invocation: Invocation, file: Path, passphrase_file: Path | None, force: bool) -> None:
    """Bring private keys back from a backup FILE."""
    sealed = read_input(file, "a key backup")
    with open_home(invocation.home) as home:
        active = home.vkeys
        keys = SigningKeys(home.paths.signing_keys)
    restored = []
    passphrase = _ask(passphrase_file, confirm=False)
    with advice("give what `quipu key backup` wrote, and the passphrase of then", about=file):
        signers = open_backup(sealed, passphrase)
    for signer in signers:
        if signer.verifier_key not in active:
            raise RefusedError(
                f"{signer.verifier_key} does not sign for this log now",
                hint="it is another robot's key, or was retired since the backup",
            )
        if force:
            # Replaced in one step: on a full disk the old file must stay.
            path = keys.path_of(signer.verifier_key)
            write_result(path, signer.private_key.to_pem(), private=True)
        else:
            keys.add(signer)
        restored.append(signer.verifier_key.encode())
    invocation.output.text({"keys": restored}, f"[green]restored[/] {len(restored)} key(s)")


@verb("rotate")
def rotate(invocation: Invocation) -> None:
    """Bring in a new key. Old and new sign checkpoints until `quipu key retire`."""
    with borrow_home(invocation.home) as home:
        new = rotate_key(home)
        home.log.checkpoint(home.signers())
    invocation.output.text(
        {"vkey": new.encode()},
        f"[green]new verifier key[/], to publish: [bold]{escape(new.encode())}[/]",
        "[dim]once everybody has it: quipu key retire; and make a new backup[/]",
    )


@verb("retire")
def retire(invocation: Invocation) -> None:
    """End a rotation: destroy the older key.

    What a chain has under its account is lost with it: quipu wallet gather first.
    """
    with borrow_home(invocation.home) as home:
        old = retire_key(home)
        home.log.checkpoint(home.signers())
    invocation.output.text({"retired": old.encode()}, f"[green]retired[/] {escape(old.encode())}")


for _each in (show, backup, restore, rotate, retire):
    command.add_command(_each)
