"""The keys of the state: a rule's byte, then the rule's own key.

One family of keys each, so that no two rules can mean the same row; what a row holds is
said where its record is defined (``ledger/schema/chain_*.proto``, `account`).
"""

from __future__ import annotations

from typing import Final

PARAMETERS_KEY: Final = b"\x00parameters"
"""-> Parameters."""
GOVERNORS_KEY: Final = b"\x00governors"
"""-> Governors."""


def account_key(account: bytes) -> bytes:
    """0x01 || account, 32 bytes -> `account.Account`."""
    return b"\x01" + account


def asset_key(asset: int) -> bytes:
    """0x02 || u32be asset -> AssetRecord."""
    return b"\x02" + asset.to_bytes(4, "big")


def cap_key(account: bytes, asset: int) -> bytes:
    """0x03 || account || u32be asset -> CapRecord."""
    return b"\x03" + account + asset.to_bytes(4, "big")


def fleet_key(fleet: bytes) -> bytes:
    """0x10 || fleet id, 32 bytes -> FleetRecord."""
    return b"\x10" + fleet


def robot_key(origin: str) -> bytes:
    """0x11 || origin in UTF-8 -> RobotRecord."""
    return b"\x11" + origin.encode("utf-8")


def robot_by_key_key(key: bytes) -> bytes:
    """0x12 || Ed25519 key, 32 bytes -> the origin of the one robot that ever has it."""
    return b"\x12" + key


def anchor_key(origin: str) -> bytes:
    """0x20 || origin in UTF-8 -> AnchorRecord."""
    return b"\x20" + origin.encode("utf-8")


def channel_key(channel: bytes) -> bytes:
    """0x30 || channel id, 32 bytes -> ChannelRecord."""
    return b"\x30" + channel


def consent_key(consent: bytes) -> bytes:
    """0x40 || consent id, 32 bytes -> ConsentRecord."""
    return b"\x40" + consent


def withdrawn_key(origin: str, record_id: bytes) -> bytes:
    """0x41 || record id, 16 bytes || origin in UTF-8 -> WithdrawnRecord, while it counts."""
    return b"\x41" + record_id + origin.encode("utf-8")


def contract_key(contract: bytes) -> bytes:
    """0x50 || contract id, 32 bytes -> ContractRecord."""
    return b"\x50" + contract


def offer_key(offer: bytes) -> bytes:
    """0x51 || offer id, 32 bytes -> OfferRecord."""
    return b"\x51" + offer


def contract_version_key(contract: bytes, version: int) -> bytes:
    """0x52 || contract id, 32 bytes || u32be version -> ContractVersion."""
    return b"\x52" + contract + version.to_bytes(4, "big")


def grant_key(grant: bytes) -> bytes:
    """0x60 || grant id, 32 bytes -> GrantRecord."""
    return b"\x60" + grant


def nullifier_key(nullifier: bytes) -> bytes:
    """0x61 || nullifier, 48 bytes -> NullifierRecord."""
    return b"\x61" + nullifier


def anonymous_fees_key(fleet: bytes) -> bytes:
    """0x62 || fleet id, 32 bytes -> AnonymousFees."""
    return b"\x62" + fleet


def sale_key(sale: bytes) -> bytes:
    """0x70 || sale id, 32 bytes -> SaleRecord, while the sale is on."""
    return b"\x70" + sale


def model_key(model: bytes) -> bytes:
    """0x80 || model id, 32 bytes -> ModelRecord."""
    return b"\x80" + model
