"""Where a chain begins that was restored from a snapshot: with the rows of its state.

What was over and forgotten before the snapshot is in no row, so such a chronicle is not
whole, and whoever misses something in it has to say so and no more.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger.chain.account import Account
from ledger.chain.chronicle.chronicle import AssetName, Chronicle
from ledger.chain.chronicle.consents import Withdrawal
from ledger.chain.chronicle.facts import (
    AnchorFact,
    ChannelFact,
    ConsentFact,
    ContractFact,
    FleetFact,
    GrantFact,
    ModelFact,
    Moment,
    OfferFact,
    RobotFact,
    SaleFact,
    SaleStage,
    VersionFact,
)
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.schema.canonical import parse_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_consent_pb2 import ConsentRecord, WithdrawnRecord
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, FleetRecord, RobotRecord
from ledger.schema.chain_learning_pb2 import ModelRecord
from ledger.schema.chain_payment_pb2 import AssetRecord
from ledger.schema.chain_sharing_pb2 import ContractRecord, ContractVersion, OfferRecord


def open_with_state(chronicle: Chronicle, at: Moment, rows: Mapping[bytes, bytes]) -> None:
    """Begin with the rows of the state after a block. Raises MalformedError and its kin."""
    chronicle.whole = False
    chronicle.newest = at
    # In the order of their families: a channel's grant is known before the channel.
    for key in sorted(rows, key=lambda key: (_ORDER.find(key[:1]), key)):
        _open_with(chronicle, at, key, rows[key])


_ORDER = b"\x02\x01\x10\x11\x20\x40\x41\x50\x52\x51\x60\x30\x70\x80"


def _open_with(chronicle: Chronicle, at: Moment, key: bytes, row: bytes) -> None:
    sharing, exchange, books, name = (
        chronicle.sharing,
        chronicle.exchange,
        chronicle.books,
        key[1:],
    )
    match key[:1]:
        case b"\x01":
            books.open_with(name, Account.decode(row).holdings)
        case b"\x02":
            asset = parse_message(AssetRecord, row, "asset")
            number = int.from_bytes(name, "big")
            books.minted[number] = asset.minted
            chronicle.assets[number] = AssetName(asset.asset.symbol, asset.asset.decimals)
        case b"\x10":
            fleet = parse_message(FleetRecord, row, "fleet")
            keys = {each.epoch: each.public_key for each in fleet.issuer_keys}
            chronicle.fleets[name] = FleetFact(name, fleet.name, fleet.authority, at, keys)
        case b"\x11":
            robot, origin = parse_message(RobotRecord, row, "robot"), name.decode("utf-8")
            fact = RobotFact(origin, robot.fleet, robot.role, at, {each.key for each in robot.keys})
            if robot.status == ROBOT_STATUS_FROZEN:
                fact.frozen_height = at.height
            elif robot.status:
                fact.retired_height = at.height
            chronicle.robots[origin] = fact
        case b"\x20":
            anchor = parse_message(AnchorRecord, row, "anchor")
            then = Moment(anchor.height, anchor.time_ns)
            origin = name.decode("utf-8")
            chronicle.anchors.append(AnchorFact(origin, anchor.size, anchor.root, then))
        case b"\x40":
            consent = _consent(name, row, at)
            chronicle.consent.consents[name] = consent
        case b"\x41":
            _withdrawn(chronicle, name, row)
        case b"\x80":
            chronicle.learning.models[name] = _model(name, row, at)
        case b"\x50":
            contract = parse_message(ContractRecord, row, "contract")
            sharing.contracts[name] = ContractFact(
                name, contract.fleet, contract.name, at, [], contract.withdrawn_height
            )
        case b"\x52":
            version = parse_message(ContractVersion, row, "version")
            number = int.from_bytes(name[32:], "big")
            known = sharing.contracts.get(name[:32])
            if known is not None:
                known.versions.append(
                    VersionFact(number, version.policy, version.terms, version.height)
                )
        case b"\x51":
            sharing.offers[name] = _offer(name, row, at)
        case b"\x60":
            sharing.add_grant(_grant(name, row, at))
        case b"\x30":
            channel = parse_message(ChannelRecord, row, "channel")
            exchange.channels[name] = ChannelFact(
                id=name,
                payer=channel.payer,
                payee=channel.payee,
                asset=channel.asset,
                deposit=channel.deposit,
                expiry_height=channel.expiry_height,
                at=at,
                unit=channel.payword.unit,
                claimed=channel.claimed,
                grant=channel.grant or sharing.by_key.get(channel.payer, b""),
                parts=tuple((each.account, each.parts) for each in channel.royalties),
            )
            books.held[channel.asset] += channel.deposit
        case b"\x70":
            sale = _sale(name, row, at)
            exchange.sales[name] = sale
            books.held[sale.asset] += sale.held
        case _:
            pass


def _consent(name: bytes, row: bytes, at: Moment) -> ConsentFact:
    record = parse_message(ConsentRecord, row, "consent")
    consent = ConsentFact(
        id=name,
        grantor=record.grantor,
        subject=record.subject,
        origin=record.origin,
        records=tuple(record.record_id),
        purpose=record.purpose,
        expiry_height=record.expiry_height,
        at=Moment(record.height, at.time_ns),
        erased=set(record.erased),
    )
    if record.acknowledged_height:
        consent.acknowledged = Moment(record.acknowledged_height, at.time_ns)
    if record.withdrawn_height:
        consent.withdrawn = Moment(record.withdrawn_height, at.time_ns)
    return consent


def _withdrawn(chronicle: Chronicle, name: bytes, row: bytes) -> None:
    record = name[RECORD_ID_SIZE:].decode("utf-8"), name[:RECORD_ID_SIZE]
    chronicle.consent.withdrawals[record] = [
        Withdrawal(record, each.consent, each.grantor, each.subject, each.height, each.height)
        for each in parse_message(WithdrawnRecord, row, "withdrawn record").withdrawals
    ]


def _model(name: bytes, row: bytes, at: Moment) -> ModelFact:
    record = parse_message(ModelRecord, row, "model")
    return ModelFact(
        id=name,
        fleet=record.fleet,
        name=record.name,
        content_root=record.content_root,
        content_size=record.content_size,
        inputs=tuple(record.inputs),
        grants=tuple(each.grant for each in record.grants),
        at=Moment(record.height, at.time_ns),
        withdrawn_height=record.withdrawn_height,
    )


def _offer(name: bytes, row: bytes, at: Moment) -> OfferFact:
    record = parse_message(OfferRecord, row, "offer")
    return OfferFact(
        id=name,
        contract=record.contract,
        version=record.version,
        seller=record.seller,
        origin=record.origin,
        leaf=record.leaf,
        index=record.index,
        record=record.record_id,
        content_root=record.content_root,
        content_size=record.content_size,
        qualities=tuple(record.qualities),
        at=Moment(record.height, at.time_ns),
        tags=tuple(record.tags),
        withdrawn_height=record.withdrawn_height,
    )


def _grant(name: bytes, row: bytes, at: Moment) -> GrantFact:
    record = parse_message(GrantRecord, row, "grant")
    return GrantFact(
        id=name,
        offer=record.offer,
        contract=record.contract,
        version=record.version,
        terms=record.terms,
        key=record.key,
        fleet=record.fleet,
        purpose=record.purpose,
        nullifier=record.nullifier,
        seller=record.seller,
        content_root=record.content_root,
        content_size=record.content_size,
        expiry_height=record.expiry_height,
        at=Moment(record.expiry_height - record.terms.grant_lifetime, at.time_ns),
        erased_height=record.erased_height,
    )


def _sale(name: bytes, row: bytes, at: Moment) -> SaleFact:
    record = parse_message(SaleRecord, row, "sale")
    stage = SaleStage.LOCKED if record.reveal_height else SaleStage.PROPOSED
    revealed = 0
    if record.complaint_height:
        stage, revealed = SaleStage.REVEALED, record.complaint_height - record.complaint_blocks
    return SaleFact(
        id=name,
        grant=record.grant,
        seller=record.seller,
        buyer=record.buyer,
        asset=record.asset,
        price=record.price,
        deposit=record.deposit,
        royalties=tuple((each.account, each.parts) for each in record.royalties),
        complaint_blocks=record.complaint_blocks,
        at=at,
        stage=stage,
        revealed_height=revealed,
    )
