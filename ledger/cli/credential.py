"""``quipu credential``: who is a member of a fleet, shown without saying which."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.chain.role import BETWEEN, Role
from ledger.cli.files import read_input, write_result
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape, table
from ledger.credentials.issuer_home import IssuerHome
from ledger.credentials.member_file import MemberFile, gap_of
from ledger.errors import NotFoundError, RefusedError
from zkproofs.credential import Attributes

_PATH = click.Path(path_type=Path, readable=False)
UNTIL = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group("credential")
def command() -> None:
    """Issue credentials to a fleet's members, hold one, renew and revoke.

    The fleet's authority keeps FOLDER; each member keeps a file CREDENTIAL:
    whoever has it is the member. An invitation is a secret for its robot alone:
    whoever answers it first becomes the robot. Requests, responses and gaps may
    be seen by all.
    """


def _output_option(function: Function) -> Function:
    return click.option(
        "-o", "--output", type=_PATH, required=True, help="The file to write, to be sent."
    )(function)


def _certification_option(function: Function) -> Function:
    return click.option(
        "--certification",
        "certifications",
        multiple=True,
        metavar="NAME",
        help="Shown with the role, for contracts that ask for it; may be repeated.",
    )(function)


@verb("new")
@click.argument("folder", type=_PATH)
@click.option("--fleet", required=True, metavar="NAME", help="The fleet's name on its chain.")
def new(invocation: Invocation, folder: Path, fleet: str) -> None:
    """Make FOLDER with a new key that issues a fleet's credentials."""
    home = IssuerHome.create(folder, fleet)
    invocation.output.text(
        {"folder": str(folder), "fleet": fleet, "public_key": home.public_key.hex()},
        f"[green]made[/] {escape(str(folder))}, the issuer of {escape(fleet)}",
        f"public key: {home.public_key.hex()}",
        "[dim]whoever has the folder makes members: keep it to yourself, and a copy of it[/]",
        "[dim]next: quipu chain fleet issuer[/]",
    )


@verb("invite")
@click.argument("folder", type=_PATH)
@click.option("--robot", "robot_id", type=int, required=True, metavar="ID", help="1 to 2^32 - 2.")
@click.option("--role", required=True, help="Up to 63 bytes, with the certifications.")
@_certification_option
@click.option("--level", type=int, required=True, help="From 0.")
@click.option(
    "--until",
    type=UNTIL,
    required=True,
    help="Good up to then, UTC; choose the same for many members.",
)
@_output_option
def invite(
    invocation: Invocation,
    folder: Path,
    robot_id: int,
    role: str,
    certifications: tuple[str, ...],
    level: int,
    until: datetime,
    output: Path,
) -> None:
    """Invite a robot to ask for a credential that says this, or to renew the one it has.

    The invitation is a secret for that robot alone: whoever answers it first is the robot.
    """
    expiry = _expiry(until)
    letter = IssuerHome.open(folder).invite(_role(role, certifications), level, expiry, robot_id)
    write_result(output, letter, private=True)
    invocation.output.text(
        {"output": str(output), "robot_id": robot_id, "expiry": expiry},
        f"[green]wrote[/] {escape(str(output))}, an invitation for robot {robot_id}:"
        " a secret, for it alone",
        "[dim]next, where the robot is: quipu credential request, or renew[/]",
    )


def _asks(invocation: Invocation, held: MemberFile, invitation: Path, output: Path) -> None:
    request = held.request(read_input(invitation, "an invitation"))
    write_result(output, request)
    invocation.output.text(
        {"output": str(output), "pending": str(held.pending)},
        f"[green]wrote[/] {escape(str(output))}, to be sent to the issuer",
        "[dim]next, at the issuer's: quipu credential issue[/]",
    )


@verb("enroll")
@click.argument("folder", type=_PATH)
@click.argument("credential", type=_PATH)
@click.option("--robot", "robot_id", type=int, required=True, metavar="ID", help="1 to 2^32 - 2.")
@click.option("--role", required=True, help="Up to 63 bytes, with the certifications.")
@_certification_option
@click.option("--level", type=int, required=True, help="From 0.")
@click.option("--until", type=UNTIL, required=True, help="Good up to then, UTC.")
def enroll(
    invocation: Invocation,
    folder: Path,
    credential: Path,
    robot_id: int,
    role: str,
    certifications: tuple[str, ...],
    level: int,
    until: datetime,
) -> None:
    """Invite, ask, issue and accept in one step, where FOLDER and CREDENTIAL are on one machine.

    A CREDENTIAL that is there is renewed. The newest gaps go to CREDENTIAL.gaps.
    """
    home, held = IssuerHome.open(folder), MemberFile(credential)
    if credential.exists() and held.credential().attributes.robot_id != robot_id:
        raise RefusedError(
            f"{credential} is another robot's credential",
            hint="name the file of this robot, or a new one",
        )
    if held.pending.exists():  # an earlier try was cut short: the same request, the same answer
        request = held.waiting_request()
    else:
        expiry = _expiry(until)
        request = held.request(home.invite(_role(role, certifications), level, expiry, robot_id))
    attributes = held.accept(home.answer(request)).attributes
    write_result(held.gaps, home.gaps())
    invocation.output.text(
        {"credential": str(credential), "gaps": str(held.gaps), **_attributes(attributes)},
        f"[green]enrolled[/] {escape(str(credential))}: {_words(attributes)}",
        f"wrote {escape(str(held.gaps))}, which show that it is not revoked",
    )


@verb("request")
@click.argument("credential", type=_PATH)
@click.argument("invitation", type=_PATH)
@_output_option
def request(invocation: Invocation, credential: Path, invitation: Path, output: Path) -> None:
    """Answer INVITATION: ask for a first credential, to be kept in CREDENTIAL."""
    if credential.exists():
        raise RefusedError(f"{credential} exists", hint="renew it: quipu credential renew")
    _asks(invocation, MemberFile(credential), invitation, output)


@verb("renew")
@click.argument("credential", type=_PATH)
@click.argument("invitation", type=_PATH)
@_output_option
def renew(invocation: Invocation, credential: Path, invitation: Path, output: Path) -> None:
    """Answer INVITATION with the secret of CREDENTIAL, which stays: uses that were had, too."""
    held = MemberFile(credential)
    held.credential()
    _asks(invocation, held, invitation, output)


@verb("issue")
@click.argument("folder", type=_PATH)
@click.argument("request", type=_PATH)
@_output_option
def issue(invocation: Invocation, folder: Path, request: Path, output: Path) -> None:
    """Answer REQUEST with what its invitation was for. The same request, the same answer."""
    answer = IssuerHome.open(folder).issue(read_input(request, "a request"))
    write_result(output, answer.letter)
    invocation.output.text(
        {
            "output": str(output),
            **_attributes(answer.attributes),
            "renewal": answer.is_renewal,
        },
        f"[green]issued[/]: {escape(str(output))}, of use to the robot that asked alone",
        f"{'a renewal' if answer.is_renewal else 'a new member'}: {_words(answer.attributes)}",
        "[dim]next, where the robot is: quipu credential accept[/]",
    )


@verb("accept")
@click.argument("credential", type=_PATH)
@click.argument("response", type=_PATH)
def accept(invocation: Invocation, credential: Path, response: Path) -> None:
    """Check RESPONSE, and keep the credential that it completes in CREDENTIAL."""
    held = MemberFile(credential).accept(read_input(response, "a response"))
    invocation.output.text(
        {"credential": str(credential), **_attributes(held.attributes)},
        f"[green]kept[/] {escape(str(credential))}: {_words(held.attributes)}",
    )


@verb("revoke")
@click.argument("folder", type=_PATH)
@click.argument("robot_ids", type=int, nargs=-1, metavar="[ROBOT-ID]...")
@click.option("--unregistered", is_flag=True, help="Also robots that have no credential yet.")
@_output_option
def revoke(
    invocation: Invocation,
    folder: Path,
    robot_ids: tuple[int, ...],
    unregistered: bool,
    output: Path,
) -> None:
    """Revoke robots for good, in a new epoch, and write the gaps that all others need.

    Those of the epoch before are in the file too: give it to all members before
    the chain has the new one. Without a robot a new epoch begins all the same.
    """
    home = IssuerHome.open(folder)
    known = {each.attributes.robot_id for each in home.members()}
    unknown = () if unregistered else tuple(each for each in robot_ids if each not in known)
    if unknown:
        raise RefusedError(
            f"no credential was issued to {_ids(unknown)}, and nobody is revoked",
            hint="check the id: it is for good; or say --unregistered",
        )
    revoked = home.revoke(robot_ids)
    write_result(output, home.gaps())
    name = escape(home.fleet)
    invocation.output.text(
        {"output": str(output), "epoch": revoked.epoch, "revoked": list(revoked.robot_ids)},
        f"[green]epoch {revoked.epoch}[/]: revoked are {_ids(revoked.robot_ids)}",
        f"wrote {escape(str(output))}, for all members: it is no secret",
        f"[dim]next, once all have it: quipu chain fleet revocation {name}"
        f" --epoch {revoked.epoch}[/]",
    )


@verb("gaps")
@click.argument("folder", type=_PATH)
@_output_option
def gaps(invocation: Invocation, folder: Path, output: Path) -> None:
    """Write the newest gaps once more: members need them to show that they are not revoked."""
    home = IssuerHome.open(folder)
    write_result(output, home.gaps())
    epoch = home.revoked().epoch
    invocation.output.text(
        {"output": str(output), "epoch": epoch},
        f"[green]wrote[/] {escape(str(output))}, the gaps of epoch {epoch}",
    )


@verb("show")
@click.argument("path", type=_PATH)
@click.option("--gaps", "gaps_file", type=_PATH, help="Also check that it is not revoked.")
def show(invocation: Invocation, path: Path, gaps_file: Path | None) -> None:
    """Show what a member's CREDENTIAL says, or an issuer's FOLDER, and no secret of either."""
    if path.is_dir():
        _show_issuer(invocation, IssuerHome.open(path))
        return
    if not path.exists() and MemberFile(path).pending.exists():
        raise NotFoundError(
            f"{path} is asked for, and not there yet", hint="quipu credential accept"
        )
    credential = MemberFile(path).credential()
    lines, data = [_words(credential.attributes)], _attributes(credential.attributes)
    if gaps_file:
        gap = gap_of(credential, read_input(gaps_file, "the gaps"))
        data["epoch"] = gap.epoch
        lines.append(f"not revoked in epoch {gap.epoch}")
    lines.append(f"issuer: {credential.issuer.to_bytes().hex()}")
    invocation.output.text({**data, "issuer": credential.issuer.to_bytes().hex()}, *lines)


def _show_issuer(invocation: Invocation, home: IssuerHome) -> None:
    members, revoked = home.members(), home.revoked()
    data = {
        "fleet": home.fleet,
        "public_key": home.public_key.hex(),
        "epoch": revoked.epoch,
        "revoked": list(revoked.robot_ids),
        "members": [_attributes(each.attributes) for each in members],
    }

    def write(console: Console) -> None:
        console.print(f"issuer of {escape(home.fleet)}, epoch {revoked.epoch}", soft_wrap=True)
        console.print(f"public key: {home.public_key.hex()}", soft_wrap=True)
        if not members:
            return
        rows = table("robot", "role", "level", "good until", "")
        for each in members:
            said = each.attributes
            gone = "revoked" if said.robot_id in revoked.robot_ids else ""
            rows.add_row(
                str(said.robot_id), _shown(said.role), str(said.level), _day(said.expiry), gone
            )
        console.print(rows)

    invocation.output.result(data, write)


def _expiry(until: datetime) -> int:
    """Seconds since 1970. Raises RefusedError for what is past."""
    expiry = int(until.replace(tzinfo=UTC).timestamp())
    if expiry < time.time():
        raise RefusedError(
            f"{_day(expiry)} is past: a credential until then is never good",
            hint="name a time to come with --until",
        )
    return expiry


def _role(name: str, certifications: tuple[str, ...]) -> str:
    return Role(name, tuple(sorted(set(certifications)))).text


def _ids(robot_ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, robot_ids)) or "none"


def _attributes(said: Attributes) -> dict[str, Any]:
    role, *certifications = said.role.split(BETWEEN)
    return {
        "fleet": said.fleet,
        "role": role,
        "certifications": certifications,
        "level": said.level,
        "expiry": said.expiry,
        "robot_id": said.robot_id,
    }


def _shown(role: str) -> str:
    name, *certifications = role.split(BETWEEN)
    return escape(f"{name} ({', '.join(certifications)})" if certifications else name)


def _words(said: Attributes) -> str:
    return (
        f"robot {said.robot_id} of {escape(said.fleet)}, {_shown(said.role)},"
        f" level {said.level}, good until {_day(said.expiry)}"
    )


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


for _each in (new, invite, enroll, request, renew, issue, accept, revoke, gaps, show):
    command.add_command(_each)
