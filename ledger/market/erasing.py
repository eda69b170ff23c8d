"""Erasing what was bought once consent of it is withdrawn, and saying so without a name.

What this side has of it goes: the record in its home (`ledger.experience.erasure`, which keeps
the entries), and content, files and openings in the acquisition's folder. Then the grant's
one-time key confirms on the chain that it is gone; the fleet's pool pays the fee of that, which
no budget counts. Where consent was withdrawn after the chain had pruned the grant, it is erased
all the same, and there is nobody to be told. Copies elsewhere, and models that were trained on
it, are named and stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.ids import grant_id
from ledger.chain.notices import Held, Notice, notice_of
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.proven.kept import require_carried_out
from ledger.errors import RefusedError
from ledger.experience.erasure import ErasureReport, erase
from ledger.experience.private_folder import remove_folder
from ledger.market import paying
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import AcquisitionState, Granted, Swapping
from ledger.market.giving_up import abandon
from ledger.market.keeping import find_kept
from ledger.market.tools import Tools
from ledger.market.wish import Wish
from ledger.schema.chain_consent_pb2 import ConfirmErasure

REASON: Final = "consent was withdrawn"
"""What the log of the home says; everybody can read it."""
_CONTENT: Final = ("purchase", "placing", "files")
_DEED: Final = "deed"


@dataclass(frozen=True, slots=True)
class Erased:
    """What was bought is gone from here, and the chain has the receipt if it can have one."""

    notice: Notice
    """As it was found."""
    is_confirmed: bool
    """Whether the chain has the receipt; not where the grant is pruned."""
    report: ErasureReport | None
    """Of the home; None where no home had it."""


def notice_to(acquisition: Acquisition, tools: Tools) -> Notice | None:
    """The same as `notice_in`, of an acquisition that is open."""
    return notice_in(tools.chain, acquisition.folder, acquisition.wish, acquisition.state)


def notice_in(
    chain: ProvenChain, folder: Path, wish: Wish, state: AcquisitionState
) -> Notice | None:
    """The notice that consent of what was granted is withdrawn; None while it is not.

    Whoever gave the purchase up holds the grant all the same, and owes the receipt.
    """
    if isinstance(state, Granted):
        return notice_of(chain, Held(state.grant.grant, state.record.offer))
    if not (folder / "wallet" / "key").exists():
        return None
    key = paying.one_time_wallet(folder).account
    notice = notice_of(chain, Held(grant_id(chain.chain, key), wish.offer))
    # Only its state would say that there was a grant once which is pruned.
    return None if notice is not None and notice.pruned else notice


def is_erased(folder: Path) -> bool:
    """Whether an acquisition's folder has nothing more of what was bought, nor has a home."""
    return not any((folder / name).exists() for name in (*_CONTENT, _DEED))


def erase_bought(acquisition: Acquisition, tools: Tools) -> Erased:
    """Erase what consent is withdrawn of, wherever the acquisition stands, and confirm it.

    May be called again: what was cut off is done. Money that is still in a channel comes back
    by `abandon`, before or after; what is being bought whole is given up first, for its sale
    needs what is here: `NotYetError` while its price may be locked. Raises RefusedError where
    there is no notice; StorageError and its kin; `RefusalError`, `EngineError`, and as
    `Funding.fund` does.
    """
    notice = notice_to(acquisition, tools)
    if notice is None:
        raise RefusedError(
            "nobody has withdrawn consent of it", hint="`quipu erase` erases what is one's own"
        )
    if isinstance(acquisition.state, Swapping):
        abandon(acquisition, tools)
    for name in _CONTENT:
        remove_folder(acquisition.folder / name)
    report = _erase_in_home(tools, notice)
    remove_folder(acquisition.folder / _DEED)  # last: what was cut off shows by it
    is_confirmed = bool(notice.confirmed_height)
    if notice.is_due:
        is_confirmed = _confirm(acquisition, tools, notice)
    tools.chain.keep()
    return Erased(notice, is_confirmed, report)


def _erase_in_home(tools: Tools, notice: Notice) -> ErasureReport | None:
    if tools.home is None:
        return None
    with tools.home() as home:
        kept = find_kept(home.experiences, tools.chain.chain, notice.grant)
        return None if kept is None else erase(home.experiences, [kept.record_id], REASON)


def _confirm(acquisition: Acquisition, tools: Tools, notice: Notice) -> bool:
    """Give the receipt; whether the chain has it, now or since before."""
    chain, wallet = tools.chain, paying.one_time_wallet(acquisition.folder)
    path = acquisition.folder / "erased.tx"
    fee = chain.parameters.min_fee
    if not path.exists() and fee and chain.balance(wallet.account, FEE_ASSET) < fee:
        tools.funding.fund(notice.grant, wallet.account, FEE_ASSET, fee)
    try:
        require_carried_out(chain, path, wallet, ConfirmErasure(grant=notice.grant))
    except RefusalError as refusal:
        # Confirmed or pruned meanwhile: there is nothing more to say.
        if refusal.code not in (ResultCode.GRANT_STATE, ResultCode.UNKNOWN_GRANT):
            raise
        return refusal.code is ResultCode.GRANT_STATE
    return True
