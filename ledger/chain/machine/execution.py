"""Carrying transactions out: what happens to the state, and with which code.

A transaction is carried out whole or not at all. In this order it is refused for its
expiry, its account, its sequence, its signature, its fee, its attachments, and by its rule;
one that is refused changes nothing, not even its account's sequence.

An action may be asked for anonymously (`Action.presents`): by a key without an account, which
is checked here as strictly as where an account comes into being, and has one afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from hashlib import sha256

from ledger.chain.account import (
    FEE_ASSET,
    IS_POOL,
    Account,
    check_key,
    read_account,
    release,
    write_account,
)
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context
from ledger.chain.result import Result
from ledger.chain.rules.registry import ACTIONS
from ledger.chain.spending import debit
from ledger.chain.sponsorship import pay_for_anonymous, pay_from_sponsor
from ledger.chain.transaction import Transaction


def check_form(transaction: Transaction) -> None:
    """Refuse what can be refused without a state."""
    action = ACTIONS.get(transaction.action)
    if action is None:
        raise RefusalError(ResultCode.UNKNOWN_ACTION, f"no rule for {transaction.action}")
    action.check(transaction.message)


def carry_out(
    context: Context,
    transaction: Transaction,
    signed: bool,
    attachments: Mapping[bytes, bytes],
    pruned: Set[bytes] = frozenset(),
) -> Result:
    """Carry out one transaction on ``context.state``, or leave that as it is.

    ``signed`` says whether the signature is good, ``attachments`` are those of the block,
    ``pruned`` those that it had and that are not to be asked for any more.
    """
    context.events = []
    try:
        _enter(context, transaction, signed, attachments, pruned)
        action = ACTIONS.get(transaction.action)
        if action is None:
            raise RefusalError(ResultCode.UNKNOWN_ACTION, f"no rule for {transaction.action}")
        action.check(transaction.message)
        action.carry_out(context, transaction.message)
    except RefusalError as refusal:
        context.state.drop()
        return Result(transaction.id, refusal.code)
    context.state.keep()
    return Result(transaction.id, ResultCode.OK, tuple(context.events))


def _enter(
    context: Context,
    transaction: Transaction,
    signed: bool,
    attachments: Mapping[bytes, bytes],
    pruned: Set[bytes],
) -> None:
    """What every transaction goes through before its rule: account, signature, fee."""
    state, signer = context.state, transaction.claim.key
    if transaction.expiry_height < context.height:
        raise RefusalError(
            ResultCode.EXPIRED, f"the transaction was good up to block {transaction.expiry_height}"
        )
    anonymous = is_anonymous(transaction)
    account = read_account(state, signer)
    if account is None:
        if not anonymous:
            raise RefusalError(ResultCode.UNKNOWN_ACCOUNT, "nothing was ever paid to this account")
        check_key(signer)
        account = Account()
    check_sequence(transaction.sequence, account.sequence)
    if not signed:
        raise RefusalError(ResultCode.WRONG_SIGNATURE, "the signature is not the signer's")
    if account.flags & IS_POOL:
        raise RefusalError(ResultCode.POOL_ACCOUNT, "no key signs for a pool")
    if transaction.fee < context.parameters.min_fee:
        raise RefusalError(ResultCode.FEE_TOO_LOW, f"a fee is {context.parameters.min_fee} or more")
    context.signer, context.sequence = signer, transaction.sequence
    context.sponsor, context.body = transaction.sponsor, transaction.body
    context.attachments = own_attachments(transaction.attachments, attachments, pruned)
    named = {name for name, _ in transaction.attachments}
    context.pruned = named - context.attachments.keys()
    write_account(state, signer, account._replace(sequence=account.sequence + 1))
    if transaction.fee:
        if anonymous:
            pay_for_anonymous(context, transaction.sponsor, transaction.fee)
        elif transaction.sponsor:
            pay_from_sponsor(context, transaction.sponsor, transaction.fee)
        else:
            debit(context, signer, FEE_ASSET, transaction.fee)
        release(state, context.parameters.treasury, FEE_ASSET, transaction.fee)


def is_anonymous(transaction: Transaction) -> bool:
    """Whether this is asked for by somebody who needs no account."""
    action = ACTIONS.get(transaction.action)
    return action is not None and action.presents is not None


def check_sequence(sequence: int, expected: int) -> None:
    """Refuse a sequence that is not the account's next."""
    if sequence < expected:
        raise RefusalError(ResultCode.SEQUENCE_PAST, f"the account's next sequence is {expected}")
    if sequence > expected:
        raise RefusalError(ResultCode.SEQUENCE_AHEAD, f"the account's next sequence is {expected}")


def own_attachments(
    named: Sequence[tuple[bytes, int]],
    given: Mapping[bytes, bytes],
    pruned: Set[bytes] = frozenset(),
) -> Mapping[bytes, bytes]:
    """Those of ``given`` that a transaction names; refused unless they are what it says.

    Those in ``pruned`` are left out.
    """
    if not named:
        return {}
    own = {}
    for name, size in named:
        data = given.get(name)
        if data is None and name in pruned:
            continue
        if data is None or len(data) != size or sha256(data).digest() != name:
            raise RefusalError(
                ResultCode.ATTACHMENT_MISSING, f"attachment {name.hex()[:16]}... is not there"
            )
        own[name] = data
    return own
