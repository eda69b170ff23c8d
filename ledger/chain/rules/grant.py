"""Rule: grants. Leave to use a recording, for a member of a fleet that does not say which.

The request is signed by a key made for it alone, and carries a presentation of the member's
credential (`zkproofs.credential`), tied to this very transaction: whoever takes it from there
has no use for it. What it proves goes to the contract's policy; its nullifier, one for each
member and use of the contract, is what keeps a member to the uses that the terms give.

Everything that is cheap to refuse is refused before the proof is verified.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import governed_fleet, read_fleet
from ledger.chain.ids import grant_id
from ledger.chain.presentation_claim import (
    NULLIFIER_SIZE,
    PresentationClaim,
    scope_of,
    unbound_hash,
)
from ledger.chain.presentations import size_of_presentation, verify_claim
from ledger.chain.role import Role
from ledger.chain.rules.action import Action, require_id, require_text
from ledger.chain.rules.allowed_use import SECOND, allowed_version, as_member
from ledger.chain.rules.offers import read_offer, require_sellable
from ledger.chain.rules.sharing import read_contract
from ledger.chain.state_keys import fleet_key, grant_key, nullifier_key
from ledger.chain.withdrawn import is_withdrawn
from ledger.chain.working_state import WorkingState
from ledger.errors import MalformedError
from ledger.schema.chain_grant_pb2 import (
    GrantRecord,
    NullifierRecord,
    PruneGrants,
    RequestGrant,
    SetRevocationEpoch,
)
from ledger.schema.chain_identity_pb2 import FleetRecord
from ledger.schema.chain_pb2 import EVENT_KIND_GRANTED, TransactionBody
from zkproofs.credential.attributes import MAX_NUMBER, MAX_TEXT_SIZE

MAX_PURPOSE: Final = 64
MAX_AHEAD_S: Final = 3_600
"""How far after the block the time may lie that a credential has to be good at."""
MAX_PRUNED: Final = 256


def claim_of(state: WorkingState, chain: bytes, body: bytes) -> PresentationClaim:
    """What the presentation in a body claims, by what the state says of offer and fleet.

    Raises RefusalError: `UNKNOWN_OFFER`, `UNKNOWN_FLEET`, `ISSUER_EPOCH`,
    `CREDENTIAL_NOT_PROVEN`.
    """
    parsed = TransactionBody.FromString(body)
    message = parsed.request_grant
    offer, fleet = read_offer(state, message.offer), read_fleet(state, message.fleet)
    keys = {each.epoch: each.public_key for each in fleet.issuer_keys}
    require(
        message.issuer_epoch in keys,
        ResultCode.ISSUER_EPOCH,
        "the fleet has announced no issuer's key of this epoch",
    )
    require(
        len(fleet.name.encode("utf-8")) <= MAX_TEXT_SIZE,
        ResultCode.CREDENTIAL_NOT_PROVEN,
        f"no credential names a fleet by more than {MAX_TEXT_SIZE} bytes",
    )
    return PresentationClaim(
        issuer=keys[message.issuer_epoch],
        fleet=fleet.name,
        min_level=message.min_level,
        role=message.role,
        time_s=message.time_s,
        revocation_epoch=message.revocation_epoch,
        scope=scope_of(chain, offer.contract, message.use),
        chain=chain,
        transaction=unbound_hash(parsed),
        presentation=message.presentation,
    )


def hopeful_claim(state: WorkingState, chain: bytes, body: bytes) -> PresentationClaim:
    """The claim of a request that the rule would come to verify; raises as `claim_of`.

    Whoever copies a presentation off the chain is refused for its nullifier before anything is
    verified, and whoever asks in an old epoch as well: neither pays, so neither costs a proof.
    """
    message = TransactionBody.FromString(body).request_grant
    _require_newest(read_fleet(state, message.fleet), message)
    claim = claim_of(state, chain, body)
    _require_unused(state, claim)
    return claim


def check_request_grant(message: RequestGrant) -> None:
    """Refuse what no member could prove, and presentations of another size."""
    require_id(message.offer, "offer's id")
    require_id(message.fleet, "fleet's id")
    require_text(message.purpose, MAX_PURPOSE, "purpose")
    require_text(message.role, MAX_TEXT_SIZE, "role")
    if message.role:
        _require_role(message.role)
    require(
        message.time_s <= MAX_NUMBER,
        ResultCode.FIELD_REFUSED,
        f"a credential's times are seconds up to {MAX_NUMBER}",
    )
    size = size_of_presentation(shows_role=bool(message.role))
    require(
        len(message.presentation) == size,
        ResultCode.CREDENTIAL_NOT_PROVEN,
        f"a presentation that answers this is of {size} bytes",
    )


def request_grant(context: Context, message: RequestGrant) -> None:
    """Grant a use of a recording to whoever holds the one-time key."""
    state = context.state
    require(context.sequence == 0, ResultCode.KEY_NOT_FRESH, "the key has signed before")
    fleet = read_fleet(state, message.fleet)
    require(
        context.sponsor == message.fleet,
        ResultCode.NOT_SPONSORED,
        "a member's own fleet pays for it",
    )
    _require_epochs(context, fleet, message)
    _require_time(context, message.time_s)
    offer = read_offer(state, message.offer)
    require_sellable(state, message.offer)
    member = as_member(fleet.name, message.min_level, message.role)
    contract, version = allowed_version(context, offer, member, message.purpose)
    require(
        message.use < version.terms.uses,
        ResultCode.OVER_USES,
        f"the contract gives each member {version.terms.uses} uses",
    )
    claim = claim_of(state, context.chain, context.body)
    _require_unused(state, claim)
    verdict = context.verdicts.get(claim)
    require(
        verify_claim(claim) if verdict is None else verdict,
        ResultCode.CREDENTIAL_NOT_PROVEN,
        "the presentation does not prove what it should, or was made for something else",
    )
    grant = grant_id(context.chain, context.signer)
    record = GrantRecord(
        offer=message.offer,
        contract=offer.contract,
        version=contract.version,
        terms=version.terms,
        key=context.signer,
        fleet=message.fleet,
        purpose=message.purpose,
        expiry_height=context.height + version.terms.grant_lifetime,
        nullifier=claim.nullifier,
        seller=offer.seller,
        content_root=offer.content_root,
        content_size=offer.content_size,
    )
    state.write(nullifier_key(claim.nullifier), NullifierRecord(contract=offer.contract))
    state.write(grant_key(grant), record)
    context.emit(EVENT_KIND_GRANTED, grant, record.expiry_height)


def read_grant(state: WorkingState, grant: bytes) -> GrantRecord:
    """The grant of this id. Raises RefusalError `UNKNOWN_GRANT`."""
    record = state.read(GrantRecord, grant_key(grant))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_GRANT, "there is no such grant")
    return record


def check_prune_grants(message: PruneGrants) -> None:
    """Refuse nothing to prune, too much, and what is out of order or of another size."""
    named = len(message.grants) + len(message.nullifiers)
    require(
        1 <= named <= MAX_PRUNED
        and all(before < after for before, after in pairwise(message.grants))
        and all(before < after for before, after in pairwise(message.nullifiers)),
        ResultCode.FIELD_REFUSED,
        f"what is pruned is 1 to {MAX_PRUNED} rows, ascending, each once",
    )
    for grant in message.grants:
        require_id(grant, "grant's id")
    require(
        all(len(nullifier) == NULLIFIER_SIZE for nullifier in message.nullifiers),
        ResultCode.FIELD_REFUSED,
        f"a nullifier is {NULLIFIER_SIZE} bytes",
    )


def prune_grants(context: Context, message: PruneGrants) -> None:
    """Delete grants whose time is over, and uses of contracts that are over for good.

    A contract that has only expired may go on by an amendment, so its uses stay counted. A
    grant of a recording whose consent is withdrawn stays until its erasure is confirmed.
    """
    state = context.state
    for grant in message.grants:
        record = read_grant(state, grant)
        require(
            record.expiry_height < context.height,
            ResultCode.GRANT_STATE,
            "the grant has not expired",
        )
        offer = read_offer(state, record.offer)
        require(
            bool(record.erased_height) or not is_withdrawn(state, offer.origin, offer.record_id),
            ResultCode.GRANT_STATE,
            "consent of the recording is withdrawn, and the buyer has not confirmed its erasure",
        )
        state.delete(grant_key(grant))
    for nullifier in message.nullifiers:
        used = state.read(NullifierRecord, nullifier_key(nullifier))
        if used is None:
            raise RefusalError(ResultCode.UNKNOWN_GRANT, "there is no such nullifier")
        require(
            bool(read_contract(state, used.contract).withdrawn_height),
            ResultCode.GRANT_STATE,
            "the contract of the nullifier is not withdrawn",
        )
        state.delete(nullifier_key(nullifier))


def check_set_revocation_epoch(message: SetRevocationEpoch) -> None:
    """Refuse what is no id."""
    require_id(message.fleet, "fleet's id")


def set_revocation_epoch(context: Context, message: SetRevocationEpoch) -> None:
    """From now on members prove that they are in a gap of this epoch."""
    record = governed_fleet(context, message.fleet)
    require(
        message.epoch > record.revocation_epoch,
        ResultCode.REVOCATION_EPOCH,
        f"the fleet is in epoch {record.revocation_epoch} already",
    )
    record.revocation_epoch = message.epoch
    context.state.write(fleet_key(message.fleet), record)


def _require_role(role: str) -> None:
    try:
        Role.parse(role)
    except MalformedError as error:
        raise RefusalError(ResultCode.FIELD_REFUSED, error.message) from error


def _require_epochs(context: Context, fleet: FleetRecord, message: RequestGrant) -> None:
    """Refuse an issuer's key whose time is over, and an old list of the revoked.

    A key is good until `Parameters.max_overlap` blocks after the next one was announced.
    """
    keys = fleet.issuer_keys
    place = next((at for at, each in enumerate(keys) if each.epoch == message.issuer_epoch), None)
    require(
        place is not None
        and (
            place == len(keys) - 1
            or context.height <= keys[place + 1].height + context.parameters.max_overlap
        ),
        ResultCode.ISSUER_EPOCH,
        "the fleet has no issuer's key of this epoch, or credentials of it are to be renewed",
    )
    _require_newest(fleet, message)


def _require_newest(fleet: FleetRecord, message: RequestGrant) -> None:
    require(
        message.revocation_epoch == fleet.revocation_epoch,
        ResultCode.REVOCATION_EPOCH,
        f"the fleet's newest revocation epoch is {fleet.revocation_epoch}",
    )


def _require_unused(state: WorkingState, claim: PresentationClaim) -> None:
    require(
        state.get(nullifier_key(claim.nullifier)) is None,
        ResultCode.ALREADY_USED,
        "this member has had this use of the contract",
    )


def _require_time(context: Context, time_s: int) -> None:
    now_s = context.time_ns // SECOND
    require(
        now_s <= time_s <= now_s + MAX_AHEAD_S,
        ResultCode.TIME_REFUSED,
        f"the credential's time is from the block's to {MAX_AHEAD_S} seconds after it",
    )


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("request_grant", RequestGrant, check_request_grant, request_grant, hopeful_claim),
    Action("prune_grants", PruneGrants, check_prune_grants, prune_grants),
    Action(
        "set_revocation_epoch",
        SetRevocationEpoch,
        check_set_revocation_epoch,
        set_revocation_epoch,
    ),
)
