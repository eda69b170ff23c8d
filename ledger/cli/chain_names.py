"""How people name what a chain knows: accounts, assets, keys of the state, ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ledger.chain.fleets import fleet_id
from ledger.chain.genesis import Genesis
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import (
    GOVERNORS_KEY,
    PARAMETERS_KEY,
    account_key,
    anchor_key,
    anonymous_fees_key,
    asset_key,
    cap_key,
    channel_key,
    consent_key,
    contract_key,
    contract_version_key,
    fleet_key,
    grant_key,
    model_key,
    nullifier_key,
    offer_key,
    robot_by_key_key,
    robot_key,
    sale_key,
    withdrawn_key,
)
from ledger.cli.amounts import format_amount, parse_amount
from ledger.cli.chain_access import ChainAccess
from ledger.errors import LedgerError, MalformedError, NotFoundError
from ledger.note import VerifierKey
from ledger.schema.chain_payment_pb2 import Asset, AssetRecord

_ID: Final = re.compile(r"[0-9a-f]{64}")
_RECORD: Final = re.compile("[0-9a-f]{32}")
_NULLIFIER: Final = re.compile("[0-9a-f]{96}")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")
_MAX_ASSET: Final = 2**32 - 1

QUERIES: Final = (
    "account ACCOUNT",
    "asset ASSET",
    "cap ACCOUNT ASSET",
    "fleet FLEET",
    "robot ORIGIN",
    "key KEY",
    "anchor ORIGIN",
    "channel ID",
    "consent ID",
    "contract ID",
    "terms CONTRACT VERSION",
    "offer ID",
    "grant ID",
    "sale ID",
    "nullifier HEX",
    "withdrawn ORIGIN RECORD",
    "model ID",
    "anonymous-fees FLEET",
    "parameters",
    "governors",
)


def parse_id(text: str, what: str) -> bytes:
    """32 bytes as 64 hex digits. Raises MalformedError."""
    if not _ID.fullmatch(text):
        raise MalformedError(f"{text[:70]!r} is no {what}", hint="it is written as 64 hex digits")
    return bytes.fromhex(text)


def parse_record(text: str) -> bytes:
    """A record's id, as 32 hex digits. Raises MalformedError."""
    if not _RECORD.fullmatch(text):
        raise MalformedError(
            f"{text[:40]!r} is no record id", hint="it is 32 hex digits: `quipu show ENTRY`"
        )
    return bytes.fromhex(text)


def parse_account(text: str, chain: bytes) -> bytes:
    """An account: 64 hex digits, a verifier key, or ``pool:FLEET``. Raises MalformedError."""
    if text.startswith("pool:"):
        return pool_account(parse_fleet(text.removeprefix("pool:"), chain))
    if "+" in text:
        try:
            return bytes(VerifierKey.parse(text).public_key)
        except LedgerError as error:
            error.hint = error.hint or "give what `quipu wallet show` prints"
            raise
    return parse_id(text, "account")


def parse_fleet(text: str, chain: bytes) -> bytes:
    """A fleet, by its id or its name."""
    return bytes.fromhex(text) if _ID.fullmatch(text) else fleet_id(chain, text)


def find_asset(access: ChainAccess, text: str) -> Asset:
    """An asset, by its symbol in the genesis or by its number. Raises NotFoundError."""
    for asset in access.genesis.message.assets:
        if text in (asset.symbol, str(asset.id)):
            return asset
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= _MAX_ASSET:
        record = access.read(AssetRecord, asset_key(int(text)))
        if record is not None:
            return record.asset
    known = ", ".join(asset.symbol for asset in access.genesis.message.assets)
    raise NotFoundError(
        f"the chain has no asset {text[:40]!r}",
        hint=f"its genesis has {known}; others go by their number",
    )


def asset_of(access: ChainAccess, number: int) -> Asset:
    """An asset by its number, as the state has it; nameless if it has none."""
    for asset in access.genesis.message.assets:
        if asset.id == number:
            return asset
    record = access.read(AssetRecord, asset_key(number))
    return record.asset if record is not None else Asset(id=number, symbol=f"#{number}")


def fee_asset(genesis: Genesis) -> Asset:
    """The asset that fees are paid in."""
    return genesis.message.assets[0]


def parse_money(text: str, asset: Asset) -> int:
    """An amount of an asset, at least 1 unit. Raises MalformedError."""
    units = parse_amount(text, asset.decimals)
    if not units:
        raise MalformedError(f"{text} {asset.symbol} is nothing", hint="give more than 0")
    return units


def money(units: int, asset: Asset) -> str:
    """An amount for people: ``1.50 EUR``."""
    return f"{format_amount(units, asset.decimals)} {asset.symbol}"


def parse_query(access: ChainAccess, words: Sequence[str]) -> bytes:
    """The key of the state that words ask about, as `QUERIES` lists. Raises MalformedError."""
    match tuple(words):
        case ("account", name):
            return account_key(parse_account(name, access.chain))
        case ("asset", name):
            return asset_key(find_asset(access, name).id)
        case ("cap", name, asset):
            return cap_key(parse_account(name, access.chain), find_asset(access, asset).id)
        case ("fleet", name):
            return fleet_key(parse_fleet(name, access.chain))
        case ("robot", origin) if origin:
            return robot_key(origin)
        case ("key", name):
            return robot_by_key_key(parse_account(name, access.chain))
        case ("anchor", origin) if origin:
            return anchor_key(origin)
        case ("channel", name):
            return channel_key(parse_id(name, "channel"))
        case ("consent", name):
            return consent_key(parse_id(name, "consent"))
        case ("contract", name):
            return contract_key(parse_id(name, "contract"))
        case ("terms", name, version) if _VERSION.fullmatch(version):
            return contract_version_key(parse_id(name, "contract"), int(version))
        case ("offer", name):
            return offer_key(parse_id(name, "offer"))
        case ("grant", name):
            return grant_key(parse_id(name, "grant"))
        case ("sale", name):
            return sale_key(parse_id(name, "sale"))
        case ("withdrawn", origin, record) if origin:
            return withdrawn_key(origin, parse_record(record))
        case ("model", name):
            return model_key(parse_id(name, "model"))
        case ("nullifier", name) if _NULLIFIER.fullmatch(name):
            return nullifier_key(bytes.fromhex(name))
        case ("anonymous-fees", name):
            return anonymous_fees_key(parse_fleet(name, access.chain))
        case ("parameters",):
            return PARAMETERS_KEY
        case ("governors",):
            return GOVERNORS_KEY
    raise MalformedError(
        f"{' '.join(words)[:60]!r} is no question", hint=f"ask one of: {'; '.join(QUERIES)}"
    )
