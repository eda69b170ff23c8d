"""The state's rows against the chronicle: each says what transactions did, and no row is made up.

The replay of the rules comes to the rows by one way, the chronicle by another. Where the
rules do not explain the state, this still names each contract, offer, grant, channel, sale,
consent and account that no transaction made so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.consents import Withdrawal
from ledger.chain.chronicle.facts import (
    ChannelFact,
    ConsentFact,
    ContractFact,
    GrantFact,
    ModelFact,
    OfferFact,
    SaleFact,
    SaleStage,
)
from ledger.chain.key_words import describe_key
from ledger.chain.state_keys import (
    account_key,
    asset_key,
    channel_key,
    consent_key,
    contract_key,
    contract_version_key,
    grant_key,
    model_key,
    nullifier_key,
    offer_key,
    sale_key,
    withdrawn_key,
)
from ledger.errors import CorruptStoreError, MalformedError
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, FindingKind
from ledger.schema.canonical import parse_message
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_consent_pb2 import ConsentRecord, WithdrawnRecord
from ledger.schema.chain_consent_pb2 import Withdrawal as WithdrawalRecord
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_grant_pb2 import GrantRecord, NullifierRecord
from ledger.schema.chain_learning_pb2 import ModelRecord
from ledger.schema.chain_payment_pb2 import AssetRecord
from ledger.schema.chain_sharing_pb2 import (
    ContractRecord,
    ContractVersion,
    OfferRecord,
    Royalty,
)

Said = Mapping[str, Any]
"""What a row has to say, by field."""

_FAMILIES: Final[Mapping[int, tuple[type[Message], FindingKind]]] = {
    0x02: (AssetRecord, FindingKind.MONEY_WRONG),
    0x30: (ChannelRecord, FindingKind.EXCHANGE_WRONG),
    0x40: (ConsentRecord, FindingKind.CONSENT_WRONG),
    0x41: (WithdrawnRecord, FindingKind.CONSENT_WRONG),
    0x50: (ContractRecord, FindingKind.CONTRACT_WRONG),
    0x51: (OfferRecord, FindingKind.OFFER_WRONG),
    0x52: (ContractVersion, FindingKind.CONTRACT_WRONG),
    0x60: (GrantRecord, FindingKind.GRANT_WRONG),
    0x61: (NullifierRecord, FindingKind.GRANT_WRONG),
    0x70: (SaleRecord, FindingKind.EXCHANGE_WRONG),
    0x80: (ModelRecord, FindingKind.MODEL_WRONG),
}


def check_facts(
    items: Iterable[tuple[bytes, bytes]], chronicle: Chronicle, trail: AuditTrail
) -> None:
    """Hold every row of the families above, and every account, against what was done."""
    missing = dict(_said(chronicle))
    accounts = set[bytes]()
    for key, value in items:
        if key[:1] == b"\x01":
            accounts.add(key[1:])
            _check_account(chronicle, key, value, trail)
        elif key[:1] and key[0] in _FAMILIES:
            _check_row(key, value, missing.pop(key, None), trail)
    for key in islice(sorted(missing), MAX_FINDINGS):
        _, kind = _FAMILIES[key[0]]
        trail.find(kind, describe_key(key), "the state has no row of it", key=key)
    for name in sorted(chronicle.books.accounts.keys() - accounts):
        if any(chronicle.books.accounts[name].values()):
            key = account_key(name)
            message = "there is money in it, and the state has no row of it"
            trail.find(FindingKind.MONEY_WRONG, describe_key(key), message, key=key)


def _check_row(key: bytes, value: bytes, said: Said | None, trail: AuditTrail) -> None:
    record, kind = _FAMILIES[key[0]]
    subject = describe_key(key)
    if said is None:
        trail.find(kind, subject, "no transaction made it, or one ended it", key=key)
        return
    try:
        row = parse_message(record, value, subject)
    except MalformedError as error:
        trail.find(kind, subject, error.message, key=key)
        return
    wrong = [name for name, expected in said.items() if _value(row, name) != expected]
    if wrong:
        names = " and ".join(name.replace("_", " ") for name in wrong)
        message = f"its {names}: not what the transactions say"
        trail.find(kind, subject, message, key=key)


def _check_account(chronicle: Chronicle, key: bytes, value: bytes, trail: AuditTrail) -> None:
    try:
        there = dict(Account.decode(value).holdings)
    except CorruptStoreError:
        return  # named as a key of the state
    moved = {
        asset: amount
        for asset, amount in chronicle.books.accounts.get(key[1:], {}).items()
        if amount
    }
    for asset in sorted(there.keys() | moved.keys()):
        has, made = there.get(asset, 0), moved.get(asset, 0)
        if has != made:
            message = f"it has {has} units of asset {asset}; what was paid in and out makes {made}"
            trail.find(FindingKind.MONEY_WRONG, describe_key(key), message, key=key)


def _value(row: Message, name: str) -> Any:
    value: Any = getattr(row, name)
    return (
        tuple(value) if hasattr(value, "__len__") and not isinstance(value, str | bytes) else value
    )


# What each row has to say


def _said(chronicle: Chronicle) -> Iterator[tuple[bytes, Said]]:
    sharing = chronicle.sharing
    for asset in chronicle.assets:
        yield asset_key(asset), {"minted": chronicle.books.minted.get(asset, 0)}
    for contract in sharing.contracts.values():
        yield contract_key(contract.id), _contract(contract)
        for version in contract.versions:
            yield (
                contract_version_key(contract.id, version.number),
                {"policy": version.policy, "terms": version.terms, "height": version.height},
            )
    yield from _each(sharing.offers.values(), offer_key, _offer)
    for grant in sharing.grants.values():
        if not grant.pruned_height:
            yield grant_key(grant.id), _grant(grant)
        if grant.nullifier not in sharing.pruned_uses:
            yield nullifier_key(grant.nullifier), {"contract": grant.contract}
    yield from _each(
        (each for each in chronicle.exchange.channels.values() if each.closed is None),
        channel_key,
        _channel,
    )
    yield from _each(
        (each for each in chronicle.exchange.sales.values() if each.stage.is_open),
        sale_key,
        _sale,
    )
    yield from _each(chronicle.consent.consents.values(), consent_key, _consent)
    for record in chronicle.consent.withdrawals:
        marks = chronicle.consent.open_of(record)
        if marks:
            yield withdrawn_key(*record), {"withdrawals": tuple(_mark(each) for each in marks)}
    yield from _each(chronicle.learning.models.values(), model_key, _model)


def _each(
    facts: Iterable[Any], key: Callable[[bytes], bytes], said: Callable[[Any], Said]
) -> Iterator[tuple[bytes, Said]]:
    for fact in facts:
        yield key(fact.id), said(fact)


def _contract(fact: ContractFact) -> Said:
    return {
        "fleet": fact.fleet,
        "name": fact.name,
        "version": fact.versions[-1].number if fact.versions else 0,
        "withdrawn_height": fact.withdrawn_height,
    }


def _offer(fact: OfferFact) -> Said:
    return {
        "contract": fact.contract,
        "version": fact.version,
        "seller": fact.seller,
        "origin": fact.origin,
        "leaf": fact.leaf,
        "index": fact.index,
        "record_id": fact.record,
        "content_root": fact.content_root,
        "content_size": fact.content_size,
        "tags": fact.tags,
        "qualities": fact.qualities,
        "withdrawn_height": fact.withdrawn_height,
    }


def _grant(fact: GrantFact) -> Said:
    names = (
        "offer",
        "contract",
        "version",
        "terms",
        "key",
        "fleet",
        "purpose",
        "expiry_height",
        "nullifier",
        "seller",
        "content_root",
        "content_size",
        "erased_height",
    )
    return {name: getattr(fact, name) for name in names}


def _channel(fact: ChannelFact) -> Said:
    names = ("payer", "payee", "asset", "deposit", "expiry_height", "claimed")
    royalties = tuple(Royalty(account=account, parts=parts) for account, parts in fact.parts)
    return {**{name: getattr(fact, name) for name in names}, "royalties": royalties}


def _sale(fact: SaleFact) -> Said:
    names = ("grant", "seller", "buyer", "asset", "price", "deposit")
    revealed = fact.stage is SaleStage.REVEALED
    return {
        **{name: getattr(fact, name) for name in names},
        "complaint_height": fact.revealed_height + fact.complaint_blocks if revealed else 0,
    }


def _mark(fact: Withdrawal) -> Message:
    return WithdrawalRecord(
        grantor=fact.grantor, subject=fact.subject, consent=fact.consent, height=fact.height
    )


def _model(fact: ModelFact) -> Said:
    names = ("fleet", "name", "content_root", "content_size", "inputs", "withdrawn_height")
    return {name: getattr(fact, name) for name in names}


def _consent(fact: ConsentFact) -> Said:
    return {
        "grantor": fact.grantor,
        "origin": fact.origin,
        "record_id": fact.records,
        "purpose": fact.purpose,
        "expiry_height": fact.expiry_height,
        "acknowledged_height": fact.acknowledged.height if fact.acknowledged else 0,
        "withdrawn_height": fact.withdrawn.height if fact.withdrawn else 0,
        "erased": tuple(sorted(fact.erased)),
    }
