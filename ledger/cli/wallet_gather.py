"""``quipu wallet gather``: what a robot has under older keys, brought to the one that signs now."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import click

from ledger.chain.account import FEE_ASSET
from ledger.cli.chain_access import ChainAccess, ChainWork, chain_option, working
from ledger.cli.chain_names import asset_of, money
from ledger.cli.chain_robot import robot_option, sponsor_option, sponsored
from ledger.cli.chain_submit import Terms, carry_out, fee_of, inclusion_json, where
from ledger.cli.failure import PartlyDoneError
from ledger.cli.main import Invocation, verb
from ledger.cli.robot_wallet import Held, RobotKey, RobotWallet
from ledger.cli.ui import escape, short
from ledger.errors import LedgerError
from ledger.schema.chain_payment_pb2 import Asset, Transfer

Holdings: TypeAlias = list[tuple[Asset, int]]
Moved: TypeAlias = tuple[dict[str, Any], str]
"""A payment for ``--json``, and for people."""


def holdings_of(access: ChainAccess, account: bytes) -> Holdings:
    """What an account has of each asset, its proof checked."""
    found = access.account(account)
    return [(asset_of(access, n), amount) for n, amount in (found.holdings if found else ())]


def holdings_json(held: Holdings) -> list[dict[str, Any]]:
    """The same for ``--json``."""
    return [
        {
            "asset": asset.id,
            "symbol": asset.symbol,
            "units": amount,
            "amount": money(amount, asset).split(" ")[0],
        }
        for asset, amount in held
    ]


def older_json(key: RobotKey, held: Holdings) -> dict[str, Any]:
    """What lies under an older key, for ``--json``."""
    return {"account": key.account.hex(), "key": key.held.value, "holdings": holdings_json(held)}


def older_line(key: RobotKey, held: Holdings, *, gathered: bool = False) -> str:
    """What lies under an older key, or is left there, and what can be done about it."""
    amounts = " and ".join(money(amount, asset) for asset, amount in held)
    says = {
        Held.HERE: (
            " stays: it does not pay the fee, --sponsor FLEET does"
            if gathered
            else ": quipu wallet gather brings it to the newest"
        ),
        Held.MISSING: ": its key is not in the home, quipu key restore brings it back",
        Held.RETIRED: " is lost: the key was retired, which destroyed it",
    }[key.held]
    return f"{escape(amounts)} under the older key {short(key.account)}{says}"


@verb("gather")
@robot_option
@click.option("--fee", help="What to pay for each payment [the least there is].")
@sponsor_option
@chain_option
def gather(
    invocation: Invocation,
    robot: Path | None,
    fee: str | None,
    sponsor: str | None,
    chain_home: Path | None,
) -> None:
    """Bring what a robot has under older keys to the key that signs for it now.

    Once nothing is paid to an older key any more, its sales settled: `quipu key retire`
    destroys it.
    """
    found = RobotWallet.open(robot or invocation.home)
    with working(chain_home) as work:
        terms = sponsored(fee, sponsor, work.chain)
        moved: list[Moved] = []
        try:
            for key in found.older:
                if key.held is Held.HERE:
                    _gather_one(work, key, found.current.account, terms, moved)
        except LedgerError as problem:
            raise PartlyDoneError({"gathered": [data for data, _ in moved]}) from problem
        left = [(key, held) for key in found.older if (held := holdings_of(work, key.account))]
    lines = [line for _, line in moved] + [
        older_line(key, held, gathered=True) for key, held in left
    ]
    invocation.output.text(
        {
            "account": found.current.account.hex(),
            "gathered": [data for data, _ in moved],
            "left": [older_json(key, held) for key, held in left],
        },
        *(lines or [f"nothing of {escape(found.origin)} lies under an older key"]),
    )


def _gather_one(
    work: ChainWork, key: RobotKey, to: bytes, terms: Terms, moved: list[Moved]
) -> None:
    """Pay all of an older key's account to another, the asset that pays the fees at last.

    ``moved`` gets each payment once it is durable.
    """
    fee = 0 if terms.sponsor else fee_of(work, terms)
    for asset, _ in sorted(holdings_of(work, key.account), key=_pays_fees):
        account = work.account(key.account)
        if account is None or account.amount(FEE_ASSET) < fee:
            return
        units = account.amount(asset.id) - (fee if asset.id == FEE_ASSET else 0)
        if not units:
            return
        message = Transfer(asset=asset.id, recipient=to, amount=units)
        included = carry_out(work, key.signer(), message, terms)
        data = {"from": key.account.hex(), "asset": asset.symbol, "units": units}
        amount = escape(money(units, asset))
        line = f"[green]gathered[/] {amount} from {short(key.account)}: {where(included)}"
        moved.append(({**inclusion_json(included), **data}, line))


def _pays_fees(held: tuple[Asset, int]) -> bool:
    return held[0].id == FEE_ASSET
