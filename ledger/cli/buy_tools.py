"""What a purchase works with, as the command line names it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Final

import click

from ledger.chain.fleets import fleet_id
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import fleet_key
from ledger.cli.chain_access import ChainAccess, ChainWork
from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.cli.main import Function, Invocation
from ledger.credentials.member_file import MemberFile
from ledger.errors import NotFoundError, RefusedError
from ledger.exchange.grant import Grant
from ledger.exchange.socket_client import SocketTransport
from ledger.exchange.socket_server import SOCKET_NAME
from ledger.exchange.transport import NoSellerError, Transport
from ledger.experience.private_folder import make_private_folder
from ledger.market.budget import Budget
from ledger.market.funding import Funding, PoolFunding
from ledger.market.own_funding import OwnFunding
from ledger.market.shelf import Shelf
from ledger.market.storefront_places import storefront_of
from ledger.market.tools import Home, NobodySellsError, Tools
from ledger.memory.borrowing import borrow_home
from ledger.schema.chain_identity_pb2 import FleetRecord
from ledger.wallet.wallet import Wallet

DEFAULT_PURCHASES: Final = Path("~/.quipu-purchases")
DEFAULT_CREDENTIAL: Final = Path("~/.quipu-credential")
_PATH: Final = click.Path(path_type=Path, readable=False)


def shelf_option(function: Function) -> Function:
    """Add ``--purchases``, which every verb about purchases takes."""
    return click.option(
        "--purchases",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="Where purchases are kept [QUIPU_PURCHASES, else ~/.quipu-purchases].",
    )(function)


def credential_options(function: Function) -> Function:
    """Add ``--credential``, ``--gaps``, ``--own-money`` and ``--from``."""
    function = click.option(
        "--from",
        "storefront",
        type=_PATH,
        help="The seller's storefront: its socket, or the folder of it [this user's].",
    )(function)
    function = click.option(
        "--own-money",
        is_flag=True,
        help="Pay from the wallet itself and not from the fleet's pool: all see whose it is.",
    )(function)
    function = click.option(
        "--gaps", type=_PATH, help="The fleet's newest gaps [CREDENTIAL.gaps]."
    )(function)
    return credential_option(function)


def credential_option(function: Function) -> Function:
    """Add ``--credential``."""
    return click.option(
        "--credential",
        type=_PATH,
        help="The member's credential [QUIPU_CREDENTIAL, else ~/.quipu-credential].",
    )(function)


def shelf_of(access: ChainAccess, chosen: Path | None) -> Shelf:
    """The purchases on a chain, where ``--purchases`` or the environment says."""
    root = chosen or Path(os.environ.get("QUIPU_PURCHASES") or DEFAULT_PURCHASES)
    return Shelf(root.expanduser(), access.chain)


def proven_chain(work: ChainWork, shelf: Shelf) -> ProvenChain:
    """The chain of a shelf's purchases, never older than what was shown to any of them.

    Whoever asked it has it `keep` what it knows.
    """
    make_private_folder(shelf.root)
    return ProvenChain(work.service, work.trust, shelf.root)


def member_file(chosen: Path | None) -> MemberFile:
    """The member's file. Raises NotFoundError where there is none."""
    path = chosen or Path(os.environ.get("QUIPU_CREDENTIAL") or DEFAULT_CREDENTIAL)
    member = MemberFile(path.expanduser())
    if not member.path.is_file():
        raise NotFoundError(
            f"there is no credential {member.path}",
            hint="have one issued by your fleet: quipu credential --help",
        )
    return member


def home_to_keep(invocation: Invocation, keep: bool) -> Home | None:
    """The home that keeps what is bought: where ``--keep`` or ``--home`` asks for that."""
    context = click.get_current_context()
    named = context.find_root().params.get("home") or context.params.get("home")
    return partial(borrow_home, invocation.home) if keep or named else None


def tools_of(
    work: ChainWork,
    shelf: Shelf,
    *,
    member: MemberFile,
    gaps: Path | None,
    wallet: Wallet,
    rest_to: bytes | None,
    storefront: Path | None,
    budget: Budget | None,
    home: Home | None = None,
    seal: bool = False,
) -> Tools:
    """Put together what options say. Raises RefusedError for a wallet that may not pay.

    ``rest_to`` is the wallet's account where that pays itself, and not the fleet's pool.
    """
    chain = proven_chain(work, shelf)
    return Tools(
        chain=chain,
        member=member,
        gaps=partial(_gaps, gaps or member.gaps),
        funding=_funding(chain, shelf, member, wallet, rest_to),
        way=partial(_way, storefront),
        look=partial(_look, storefront),
        budget=budget,
        home=home,
        seal=seal,
        rest_to=rest_to,
    )


def _gaps(path: Path) -> bytes:
    with advice("get them from your fleet's authority: quipu credential gaps"):
        return read_input(path, "the fleet's revocation gaps")


def _funding(
    chain: ProvenChain, shelf: Shelf, member: MemberFile, wallet: Wallet, rest_to: bytes | None
) -> Funding:
    if rest_to is not None:
        if rest_to != wallet.account:
            raise RefusedError(
                f"{wallet.root} is not the wallet that this purchase is paid from",
                hint=f"give --wallet of account {rest_to.hex()}",
            )
        return OwnFunding(chain, wallet, shelf.paid)
    name = member.credential().attributes.fleet
    fleet = fleet_id(chain.chain, name)
    record = chain.read(FleetRecord, fleet_key(fleet))
    if record is None:
        raise NotFoundError(
            f"the chain has no fleet {name}", hint="give the chain that the credential is for"
        )
    if record.authority != wallet.account:
        raise RefusedError(
            f"{wallet.root} is not the wallet of the authority of {name}, whose pool would pay",
            hint="give --wallet of the authority, or pay with --own-money, which shows who you are",
        )
    return PoolFunding(chain, wallet, fleet, shelf.paid)


def _way(storefront: Path | None, grant: Grant) -> Transport:
    return SocketTransport(_socket(storefront, grant.seller))


def _look(storefront: Path | None, seller: bytes) -> None:
    with SocketTransport(_socket(storefront, seller)) as way:
        try:
            way.reach()
        except NoSellerError as error:
            raise NobodySellsError("the seller's storefront is not there") from error


def _socket(storefront: Path | None, seller: bytes) -> Path:
    path = storefront or storefront_of(seller)
    return path / SOCKET_NAME if path.is_dir() else path
