"""Rule: fleets. Who speaks for a fleet, its pool of money, and what it asks of others.

A fleet's authority is one key; whoever wants several people to agree keeps it behind a
threshold signature. The pool is an account that no key signs for: anybody can pay into it,
the authority pays out of it, and it pays the fees of the fleet's robots (`sponsorship`).
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

from ledger.chain.account import (
    IS_POOL,
    Account,
    check_key,
    credit,
    ensure_account,
    read_account,
    take,
    write_account,
)
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import fleet_id, governed_fleet
from ledger.chain.genesis import MAX_BLOCKS
from ledger.chain.rules.action import Action, require_id, require_text
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import fleet_key
from ledger.ed25519 import is_signed
from ledger.errors import LedgerError, RefusedError
from ledger.schema.chain_identity_pb2 import (
    ChangeAuthority,
    CreateFleet,
    FleetRecord,
    IssuerKey,
    PayFromPool,
    SetIssuerKey,
    SetSponsorship,
    SetWitnessPolicy,
)
from ledger.schema.chain_pb2 import EVENT_KIND_FLEET_CREATED, EVENT_KIND_PAID
from ledger.witnessing.policy import Policy
from zkproofs.errors import DecodingError, ProofError
from zkproofs.group import G2_SIZE, group

MAX_NAME: Final = 64
MAX_POLICY: Final = 16_384
MAX_ISSUER_KEYS: Final = 8
AUTHORITY_TAG: Final = b"quipu/authority/v1\0"


def authority_message(chain: bytes, fleet: bytes, old: bytes, new: bytes) -> bytes:
    """What a fleet's next authority signs to take the fleet over."""
    # "quipu/authority/v1\0" || chain id || fleet id || old key || new key
    return AUTHORITY_TAG + chain + fleet + old + new


def check_create_fleet(message: CreateFleet) -> None:
    """Refuse what no fleet may be called."""
    require(bool(message.name), ResultCode.FIELD_REFUSED, "a fleet needs a name")
    require_text(message.name, MAX_NAME, "fleet's name")


def create_fleet(context: Context, message: CreateFleet) -> None:
    """Found a fleet, with the signer as its authority, and make its pool."""
    state, fleet = context.state, fleet_id(context.chain, message.name)
    require(
        state.get(fleet_key(fleet)) is None,
        ResultCode.FLEET_EXISTS,
        "another fleet has this name",
    )
    state.write(fleet_key(fleet), FleetRecord(name=message.name, authority=context.signer))
    # Somebody may have paid there before, if the hash looks like a key: nobody has its
    # secret, so what is there waited for the fleet.
    pool = pool_account(fleet)
    account = read_account(state, pool) or Account()
    write_account(state, pool, account._replace(flags=account.flags | IS_POOL))
    context.emit(EVENT_KIND_FLEET_CREATED, fleet)


def check_change_authority(message: ChangeAuthority) -> None:
    """Refuse what is no key or no fleet's id."""
    require_id(message.fleet, "fleet's id")
    require_id(message.new_authority, "new authority")


def change_authority(context: Context, message: ChangeAuthority) -> None:
    """Hand the fleet to another key, which has to agree."""
    record, new = governed_fleet(context, message.fleet), message.new_authority
    require(new != record.authority, ResultCode.FIELD_REFUSED, "it is the fleet's authority")
    check_key(new)
    require(
        is_signed(
            new,
            message.new_signature,
            authority_message(context.chain, message.fleet, record.authority, new),
        ),
        ResultCode.NOT_PROVEN,
        "the new authority did not sign for the fleet",
    )
    ensure_account(context.state, new)
    record.authority = new
    context.state.write(fleet_key(message.fleet), record)


def check_set_issuer_key(message: SetIssuerKey) -> None:
    """Refuse a key of another length."""
    require_id(message.fleet, "fleet's id")
    require(
        len(message.public_key) == G2_SIZE,
        ResultCode.BAD_ISSUER_KEY,
        f"an issuer's key is {G2_SIZE} bytes",
    )


def set_issuer_key(context: Context, message: SetIssuerKey) -> None:
    """Announce the key that signs the fleet's credentials from an epoch on.

    The newest eight stay known; credentials of older ones are no longer accepted.
    """
    record = governed_fleet(context, message.fleet)
    keys = list(record.issuer_keys)
    require(
        not keys or message.epoch > keys[-1].epoch,
        ResultCode.EPOCH_PAST,
        "an issuer's key is of a later epoch than the one before",
    )
    _check_issuer_key(message.public_key)
    keys.append(
        IssuerKey(epoch=message.epoch, public_key=message.public_key, height=context.height)
    )
    del record.issuer_keys[:]
    record.issuer_keys.extend(keys[-MAX_ISSUER_KEYS:])
    context.state.write(fleet_key(message.fleet), record)


def check_pay_from_pool(message: PayFromPool) -> None:
    """Refuse what no payment may say."""
    require_id(message.fleet, "fleet's id")
    require_id(message.recipient, "recipient")
    require(message.amount > 0, ResultCode.FIELD_REFUSED, "a payment of nothing")


def pay_from_pool(context: Context, message: PayFromPool) -> None:
    """Pay somebody out of the fleet's pool."""
    governed_fleet(context, message.fleet)
    take(context.state, pool_account(message.fleet), message.asset, message.amount)
    credit(context.state, message.recipient, message.asset, message.amount)
    context.emit(EVENT_KIND_PAID, message.recipient, message.amount)


def check_set_sponsorship(message: SetSponsorship) -> None:
    """Refuse a period that is none."""
    require_id(message.fleet, "fleet's id")
    require(
        1 <= message.period <= MAX_BLOCKS,
        ResultCode.FIELD_REFUSED,
        f"a sponsorship's period is 1 to {MAX_BLOCKS} blocks",
    )
    anonymous = message.anonymous_period
    require(
        1 <= anonymous <= MAX_BLOCKS if message.anonymous_amount else not anonymous,
        ResultCode.FIELD_REFUSED,
        f"the anonymous period is 1 to {MAX_BLOCKS} blocks, and 0 where the amount is",
    )


def set_sponsorship(context: Context, message: SetSponsorship) -> None:
    """Say how much of each robot's fees the pool pays, and of anonymous members' together."""
    record = governed_fleet(context, message.fleet)
    record.sponsored_amount, record.sponsored_period = message.amount, message.period
    record.anonymous_amount = message.anonymous_amount
    record.anonymous_period = message.anonymous_period
    context.state.write(fleet_key(message.fleet), record)


def check_set_witness_policy(message: SetWitnessPolicy) -> None:
    """Refuse a policy that is too long to be read with every anchor."""
    require_id(message.fleet, "fleet's id")
    require(
        len(message.policy) <= MAX_POLICY,
        ResultCode.FIELD_REFUSED,
        f"a witness policy is at most {MAX_POLICY} bytes",
    )


def set_witness_policy(context: Context, message: SetWitnessPolicy) -> None:
    """Say which witnesses must have cosigned what the fleet's robots anchor."""
    record = governed_fleet(context, message.fleet)
    if message.policy:
        try:
            policy = Policy.parse(message.policy)
        except LedgerError as error:
            raise RefusalError(ResultCode.BAD_POLICY, error.message) from error
        require(
            not policy.logs,
            ResultCode.BAD_POLICY,
            "a fleet's policy has no log lines: the chain knows its robots' keys",
        )
    if message.policy != record.witness_policy:
        # What an ended key signed can be dated by those alone who were named then (`fork`).
        record.witness_policy = message.policy
        record.witness_policy_time_ns = context.time_ns
    context.state.write(fleet_key(message.fleet), record)


def _check_issuer_key(encoded: bytes) -> None:
    """Refuse, with `BAD_ISSUER_KEY`, what is no public key of BBS.

    Raises RefusedError on a machine that cannot tell: it must stop, for others can.
    """
    try:
        # Of the subgroup, in its one encoding, and not the identity: octets_to_pubkey of
        # draft-irtf-cfrg-bbs-signatures-09.
        group().decode_g2(encoded)
    except DecodingError as error:
        raise RefusalError(ResultCode.BAD_ISSUER_KEY, error.message) from error
    except ProofError as error:
        raise RefusedError(f"an issuer's key cannot be checked here: {error.message}") from error


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("create_fleet", CreateFleet, check_create_fleet, create_fleet),
    Action("change_authority", ChangeAuthority, check_change_authority, change_authority),
    Action("set_issuer_key", SetIssuerKey, check_set_issuer_key, set_issuer_key),
    Action("pay_from_pool", PayFromPool, check_pay_from_pool, pay_from_pool),
    Action("set_sponsorship", SetSponsorship, check_set_sponsorship, set_sponsorship),
    Action("set_witness_policy", SetWitnessPolicy, check_set_witness_policy, set_witness_policy),
)
