"""``quipu chain prune``: grants that are over, and uses of contracts that are, leave the state.

Anybody may ask for it, and pays for it; the blocks keep what happened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.chain.presentation_claim import NULLIFIER_SIZE
from ledger.chain.state_keys import contract_key, grant_key, nullifier_key, offer_key, withdrawn_key
from ledger.chain.transaction import parse_transaction
from ledger.cli.chain_access import ChainAccess, working
from ledger.cli.chain_events import subjects
from ledger.cli.chain_submit import Terms, carry_out, open_wallet, transaction_options
from ledger.cli.main import Invocation, verb
from ledger.schema.chain_grant_pb2 import GrantRecord, NullifierRecord, PruneGrants, RequestGrant
from ledger.schema.chain_pb2 import EVENT_KIND_GRANTED
from ledger.schema.chain_sharing_pb2 import ContractRecord, OfferRecord

_AT_ONCE: Final = 256
"""Rows that one transaction may name."""


@verb("prune")
@transaction_options
def prune(
    invocation: Invocation,
    fee: str | None,
    wallet_folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Delete grants whose time is over, and uses of contracts that were withdrawn.

    What consent was withdrawn of stays until its erasure is confirmed.
    """
    wallet = open_wallet(wallet_folder)
    with working(chain_home) as work:
        grants, nullifiers = _over(work)
        for start in range(0, len(grants), _AT_ONCE):
            message = PruneGrants(grants=grants[start : start + _AT_ONCE])
            carry_out(work, wallet, message, Terms(fee))
        for start in range(0, len(nullifiers), _AT_ONCE):
            message = PruneGrants(nullifiers=nullifiers[start : start + _AT_ONCE])
            carry_out(work, wallet, message, Terms(fee))
    invocation.output.text(
        {"grants": len(grants), "uses": len(nullifiers)},
        f"[green]pruned[/] {len(grants)} grants and {len(nullifiers)} uses of contracts",
    )


def _over(access: ChainAccess) -> tuple[list[bytes], list[bytes]]:
    """The ids of grants, and the nullifiers, that the rule lets go of; each ascending."""
    grants, nullifiers = set(), set()
    height = access.view.info().height
    for grant, encoded in subjects(access, EVENT_KIND_GRANTED):
        request = parse_transaction(access.chain, encoded).message
        if not isinstance(request, RequestGrant):
            continue  # the block's word alone says that something was granted by it
        record = access.read(GrantRecord, grant_key(grant))
        if record is not None and record.expiry_height <= height and _is_settled(access, record):
            grants.add(grant)
        # version || nullifier || ...
        nullifier = request.presentation[1 : 1 + NULLIFIER_SIZE]
        used = access.read(NullifierRecord, nullifier_key(nullifier))
        if used is None:
            continue
        contract = access.read(ContractRecord, contract_key(used.contract))
        if contract is not None and contract.withdrawn_height:
            nullifiers.add(nullifier)
    return sorted(grants), sorted(nullifiers)


def _is_settled(access: ChainAccess, record: GrantRecord) -> bool:
    """Whether no receipt of erasure is waited for."""
    offer = access.read(OfferRecord, offer_key(record.offer))
    if record.erased_height or offer is None:
        return bool(record.erased_height)
    withdrawn = access.look_up(withdrawn_key(offer.origin, offer.record_id))
    return withdrawn.value is None
