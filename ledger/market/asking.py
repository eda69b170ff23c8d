"""The request for a grant: chosen so that it says as little as the contract allows, and kept.

Proven are the least level, and the role only if need be, with which the contract's policy lets
the recording be had for this purpose. What is clear beforehand is not asked: `GrantRefusedError`
then has ``asked`` False, and whoever runs the chain has heard nothing.
"""

from __future__ import annotations

from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.fleets import fleet_id
from ledger.chain.policy import Policy, Recording, Use
from ledger.chain.proven.chain import EXPIRY_BLOCKS, ProvenChain
from ledger.chain.rules.allowed_use import SECOND, as_member, as_recording
from ledger.chain.rules.sharing import policy_of
from ledger.chain.state_keys import contract_key, fleet_key, offer_key
from ledger.credentials.grant_request import GrantRequest, round_time
from ledger.credentials.issuer_home import read_gaps
from ledger.credentials.member_file import gap_of
from ledger.errors import NotFoundError, RefusedError
from ledger.market.acquisition_states import Requested
from ledger.market.catalogue import find_listing
from ledger.market.listing import Listing
from ledger.market.refusal import GAPS_AHEAD, LEVEL_TOO_LOW, GrantRefusedError
from ledger.market.tools import Tools
from ledger.market.uses import Uses
from ledger.market.wish import Wish
from ledger.schema.chain_identity_pb2 import FleetRecord
from ledger.schema.chain_sharing_pb2 import ContractRecord, OfferRecord
from ledger.wallet.key_file import read_key
from ledger.wallet.wallet import Wallet
from zkproofs.credential import Credential, Gap

_HIGHEST: Final = 2**32 - 1
"""More than any level that a contract will ask for."""


def wanted(chain: ProvenChain, offer: bytes) -> Listing:
    """The offer that is wished for, proven. Raises `GrantRefusedError` where it is over."""
    record = chain.read(OfferRecord, offer_key(offer))
    if record is None:
        raise GrantRefusedError(ResultCode.UNKNOWN_OFFER, asked=False)
    if record.withdrawn_height:
        raise GrantRefusedError(ResultCode.OFFER_STATE, asked=False)
    contract = chain.read(ContractRecord, contract_key(record.contract))
    if contract is None or contract.withdrawn_height:
        raise GrantRefusedError(ResultCode.CONTRACT_OVER, asked=False)
    return find_listing(chain, offer)


def make_request(
    tools: Tools, wish: Wish, listing: Listing, wallet: Wallet, name: bytes
) -> Requested:
    """A request by the one-time key of ``wallet``, signed and not yet kept.

    The use that it asks with is the acquisition's whose ``name`` this is (`uses`).

    Raises `GrantRefusedError` for what is clear beforehand; KeyStoreError, NotFoundError,
    MalformedError and VerificationError for a member's file or gaps that are of no use.
    """
    chain, credential = tools.chain, tools.member.credential()
    fleet = fleet_id(chain.chain, credential.attributes.fleet)
    record = chain.read(FleetRecord, fleet_key(fleet))
    if record is None:
        raise RefusedError(
            f"the chain has no fleet {credential.attributes.fleet!r}",
            hint="the credential is for another chain",
        )
    time_s = round_time(tools.now_s())
    if credential.attributes.expiry < time_s:
        raise GrantRefusedError(ResultCode.TIME_REFUSED, asked=False)
    level, role = _least(wish, listing, credential)
    if level > credential.attributes.level or role not in ("", credential.attributes.role):
        raise GrantRefusedError(ResultCode.CREDENTIAL_NOT_PROVEN, asked=False)
    gap = _gap(credential, tools.gaps(), record)
    asked = GrantRequest(
        chain=chain.chain,
        offer=wish.offer,
        contract=listing.record.contract,
        use=_use(Uses(tools.member), wish, listing, name),
        purpose=wish.purpose,
        fleet=fleet,
        issuer_epoch=_issuer_epoch(record, credential),
        revocation_epoch=record.revocation_epoch,
        time_s=time_s,
        min_level=level,
        role=role,
    )
    fee, expiry = chain.parameters.min_fee, chain.height() + EXPIRY_BLOCKS
    request = asked.sign(credential, gap, read_key(wallet.root / "key"), fee, expiry)
    return Requested(listing.record, asked.use, request)


def _least(wish: Wish, listing: Listing, credential: Credential) -> tuple[int, str]:
    """The level to prove and the role to show, empty for none."""
    attributes = credential.attributes
    if wish.min_level is not None and wish.role is not None:
        return wish.min_level, wish.role
    policy = policy_of(listing.version)
    recording = as_recording(listing.record, listing.fleet)
    use = Use(wish.purpose, listing.time_ns // SECOND, listing.price)
    roles = ["", attributes.role] if wish.role is None else [wish.role]
    for role in roles:
        if wish.min_level is not None:
            member = as_member(attributes.fleet, wish.min_level, role)
            if policy.allows(member, recording, use):
                return wish.min_level, role
            continue
        level = _least_level(policy, attributes.fleet, attributes.level, role, recording, use)
        if level is not None:
            return level, role
    if wish.min_level is not None:
        return wish.min_level, ""  # as it was asked for: the chain says why not
    if any(
        policy.allows(as_member(attributes.fleet, _HIGHEST, role), recording, use) for role in roles
    ):
        raise GrantRefusedError(ResultCode.POLICY_DENIES, because=LEVEL_TOO_LOW, asked=False)
    raise GrantRefusedError(ResultCode.POLICY_DENIES, asked=False)


def _least_level(
    policy: Policy, fleet: str, highest: int, role: str, recording: Recording, use: Use
) -> int | None:
    """The least level, up to ``highest``, that a policy is content with; None: no such.

    A policy may ask for no more than a lower bound, so whoever has more is let in too.
    """

    def lets_in(level: int) -> bool:
        return policy.allows(as_member(fleet, level, role), recording, use)

    if not lets_in(highest):
        return None
    low, high = 0, highest  # high is let in
    while low < high:
        middle = (low + high) // 2
        if lets_in(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _use(uses: Uses, wish: Wish, listing: Listing, name: bytes) -> int:
    contract = listing.record.contract
    if wish.use is not None:
        uses.take(contract, wish.use, name)
        return wish.use
    use = uses.choose(contract, listing.terms.uses, name)
    if use is None:
        raise GrantRefusedError(ResultCode.OVER_USES, asked=False)
    return use


def _gap(credential: Credential, letter: bytes, fleet: FleetRecord) -> Gap:
    """The gap of the epoch that the chain has, which may not be the letter's newest yet."""
    epoch = fleet.revocation_epoch
    try:
        return gap_of(credential, letter, epoch)
    except NotFoundError:
        ahead = all(gap.epoch > epoch for gap in read_gaps(letter)[1])
        because = GAPS_AHEAD if ahead else None
        raise GrantRefusedError(ResultCode.REVOCATION_EPOCH, because=because, asked=False) from None
    except RefusedError:
        raise GrantRefusedError(ResultCode.REVOCATION_EPOCH, asked=False) from None


def _issuer_epoch(fleet: FleetRecord, credential: Credential) -> int:
    public = credential.issuer.to_bytes()
    epochs = [each.epoch for each in fleet.issuer_keys if each.public_key == public]
    if not epochs:
        raise GrantRefusedError(ResultCode.ISSUER_EPOCH, asked=False)
    return epochs[-1]
