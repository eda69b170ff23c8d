"""Conservation of money: of each asset, balances, channels and sales hold what was minted."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.chain.account import Account
from ledger.chain.sale.escrow import held_in_escrow
from ledger.errors import CorruptStoreError, MalformedError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.schema.canonical import parse_message
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_payment_pb2 import AssetRecord


def check_money(items: Iterable[tuple[bytes, bytes]], trail: AuditTrail) -> None:
    """Add up a state's accounts, channels and sales.

    Rows that cannot be read are named elsewhere.
    """
    held: dict[int, int] = {}
    minted: dict[int, int] = {}
    for key, value in items:
        try:
            match key[:1]:
                case b"\x01":
                    for asset, amount in Account.decode(value).holdings:
                        held[asset] = held.get(asset, 0) + amount
                case b"\x02":
                    record = parse_message(AssetRecord, value, "asset")
                    minted[int.from_bytes(key[1:], "big")] = record.minted
                case b"\x30":
                    channel = parse_message(ChannelRecord, value, "channel")
                    held[channel.asset] = held.get(channel.asset, 0) + channel.deposit
                case b"\x70":
                    sale = parse_message(SaleRecord, value, "sale")
                    held[sale.asset] = held.get(sale.asset, 0) + held_in_escrow(sale)
        except (CorruptStoreError, MalformedError):
            trail.note("money was not added up: a row of the state cannot be read")
            return
    for asset in sorted(held.keys() | minted.keys()):
        there, made = held.get(asset, 0), minted.get(asset, 0)
        if there != made:
            message = f"{made} units were minted; accounts, channels and sales hold {there}"
            trail.find(FindingKind.MONEY_WRONG, f"asset {asset}", message)
