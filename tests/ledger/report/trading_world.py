"""Fleets that trade: several robots that sell, two fleets that buy, and homes of all of them.

Money moves by the transactions that real buyers and sellers send; the content that a buyer
has is the seller's, ingested with the entry that says where it came from.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.chain.anchoring import next_anchor
from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.codes import ResultCode
from ledger.chain.fleets import fleet_id
from ledger.chain.ids import consent_id, grant_id
from ledger.chain.rules.robot import register_message
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import anchor_key, fleet_key, offer_key
from ledger.credentials.grant_request import GrantRequest, round_time
from ledger.credentials.issuer_home import IssuerHome
from ledger.credentials.member_file import MemberFile, gap_of
from ledger.ed25519 import PrivateKey
from ledger.exchange.grant import Grant
from ledger.experience.erasure import erase
from ledger.experience.ingest import IngestOptions, IngestReceipt, ingest
from ledger.experience.kinds import Acquisition, Tag
from ledger.experience.provenance import record_training
from ledger.experience.readers import read_recording
from ledger.home import HomeWriter, create_home, open_home_to_write
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_channel_pb2 import CloseChannel, OpenChannel, Voucher, VoucherMode
from ledger.schema.chain_consent_pb2 import (
    AcknowledgeConsent,
    ConfirmErasure,
    GrantConsent,
    ReportErasure,
    WithdrawConsent,
)
from ledger.schema.chain_exchange_pb2 import LockSale, ProposeSale, RevealKey, SettleSale
from ledger.schema.chain_identity_pb2 import (
    CreateFleet,
    FleetRecord,
    RegisterRobot,
    SetIssuerKey,
    SetSponsorship,
)
from ledger.schema.chain_learning_pb2 import RegisterModel
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_sharing_pb2 import AmendContract, OfferRecord, Royalty, Terms
from tests.fleet.sharing_chain import FEE, NEVER
from tests.fleet.sharing_market import YEAR_S, Offered, Robot, SharingMarket
from tests.ledger.chain.rules.chain_world import account_of

AUTHOR: Final = bytes(PrivateKey.from_seed(b"author".ljust(32, b".")).public_key)
"""Has a tenth of what is paid under the second contract."""


@dataclass(frozen=True)
class Use:
    """A grant with the one-time key that has it. Only the test knows both."""

    grant: Grant
    key: PrivateKey
    offered: Offered


@dataclass(frozen=True)
class BuyerFleet:
    """A fleet that buys: its authority, its issuer, and one robot with a home."""

    name: str
    id: bytes
    authority: PrivateKey
    issuer: IssuerHome
    home: HomeWriter


class TradingWorld(SharingMarket):
    """A market with more of everything."""

    def __init__(self, root: Path, held: ExitStack) -> None:
        super().__init__(root, held)
        self._stack: Final = held
        self._member = 700
        self.robots: Final = [self.husky]
        self.fleets: Final[list[BuyerFleet]] = []
        self.uses: Final[list[Use]] = []

    def selling_robot(self, origin: str, seed: int) -> Robot:
        """Another robot that sells."""
        robot = self.robot(origin, seed)
        self.robots.append(robot)
        return robot

    def fleet(self, name: str) -> BuyerFleet:
        """A fleet that buys, with money in its authority's account and in its pool."""
        authority = PrivateKey.generate()
        self.must(self.authority, Transfer(recipient=account_of(authority), amount=10_000_000))
        name_of = fleet_id(self.chain, name)
        self.must(authority, CreateFleet(name=name))
        self.must(
            authority,
            SetSponsorship(fleet=name_of, period=1, anonymous_amount=1_000, anonymous_period=1_000),
        )
        self.must(authority, Transfer(recipient=pool_account(name_of), amount=10_000))
        issuer = IssuerHome.create(self.root / self.name("issuer"), name)
        self.must(authority, SetIssuerKey(fleet=name_of, epoch=0, public_key=issuer.public_key))
        home = self._home(authority, name_of, f"buyers.example/robot-{len(self.fleets) + 1}")
        made = BuyerFleet(name, name_of, authority, issuer, home)
        self.fleets.append(made)
        return made

    # What fleets do

    def use(self, fleet: BuyerFleet, offered: Offered, **fields: Any) -> Use:
        """A member of the fleet, never seen before, is granted a use."""
        self._member += 1
        file = MemberFile(self.root / self.name("member"))
        expiry = int(time.time()) + YEAR_S
        file.accept(
            fleet.issuer.answer(
                file.request(fleet.issuer.invite("courier", 3, expiry, self._member))
            )
        )
        member, key = file.credential(), PrivateKey.generate()
        record = self.read(FleetRecord, fleet_key(fleet.id))
        assert record is not None
        request = GrantRequest(
            chain=self.chain,
            offer=offered.offer,
            contract=offered.contract,
            fleet=fleet.id,
            **{
                "use": 0,
                "purpose": "training",
                "issuer_epoch": 0,
                "revocation_epoch": record.revocation_epoch,
                "time_s": round_time(int(time.time())),
                "min_level": 3,
                **fields,
            },
        )
        gap = gap_of(member, fleet.issuer.gaps())
        code = self.submit(request.sign(member, gap, key, FEE, NEVER))
        assert code == ResultCode.OK, code
        grant = self.grant(grant_id(self.chain, account_of(key)))
        assert grant is not None
        self.must(
            fleet.authority, Transfer(recipient=account_of(key), amount=grant.price + 10 * FEE)
        )
        made = Use(grant, key, offered)
        self.uses.append(made)
        return made

    def stream(self, use: Use, paid: int | None = None, *, close: bool = True) -> bytes:
        """A channel for a use, paid with a voucher, and closed by the seller."""
        grant, account = use.grant, account_of(use.key)
        channel = channel_id(self.chain, account, self.sequence(account))
        self.must(
            use.key,
            OpenChannel(
                payee=grant.seller,
                asset=grant.asset,
                deposit=grant.price,
                expiry_height=NEVER,
                challenge=5,
                voucher=VoucherMode(),
                grant=grant.grant,
            ),
        )
        if close:
            amount = grant.price if paid is None else paid
            signed = sign_voucher(self.chain, channel, use.key, amount)
            voucher = Voucher(cumulative=amount, signature=signed.signature)
            self.must(self.seller, CloseChannel(channel=channel, voucher=voucher))
        return channel

    def sale(self, use: Use, *, locked: bool = True, settled: bool = True) -> bytes:
        """An atomic sale of a use: up to its end, up to the lock, or only proposed."""
        secret = b"k" * 32
        sale = sale_id(self.chain, use.grant.grant, self.sequence(self.seller_account))
        self.must(
            self.seller,
            ProposeSale(
                grant=use.grant.grant,
                unit_root=b"u" * 32,
                key_hash=key_hash(secret),
                lock_height=self.height() + 20,
                reveal_blocks=20,
                complaint_blocks=2,
            ),
        )
        if locked:
            self.must(use.key, LockSale(sale=sale))
        if settled:
            self.must(self.seller, RevealKey(sale=sale, key=secret))
            self.pass_blocks(3)
            self.must(self.seller, SettleSale(sale=sale))
        return sale

    def keep(self, fleet: BuyerFleet, use: Use, robot: Robot, **changes: Any) -> IngestReceipt:
        """The fleet's robot ingests what was bought; ``changes`` of what it says of that."""
        offer = self.read(OfferRecord, offer_key(use.offered.offer))
        assert offer is not None
        (recording,) = read_recording(self.bag_of(robot))

        def acquired(record_id: bytes) -> Acquisition:
            said: dict[str, Any] = {
                "record_id": record_id,
                "chain": self.chain,
                "grant": use.grant.grant,
                "offer": use.offered.offer,
                "contract": use.offered.contract,
                "version": offer.version,
                "seller": robot.origin,
                "leaf": offer.leaf,
                "content_root": offer.content_root,
            }
            return Acquisition(**{**said, **changes})

        return ingest(fleet.home.experiences, recording, IngestOptions(acquired=acquired))

    def train(self, fleet: BuyerFleet, name: str, inputs: list[bytes]) -> bytes:
        """The fleet's robot says that a model, a recording of its own, was trained on inputs."""
        (recording,) = read_recording(self.bag_of(self.husky))
        options = IngestOptions(tags=(Tag("kind", "model"),))
        model = ingest(fleet.home.experiences, recording, options)
        record_training(fleet.home.experiences, model.record_id, name, inputs)
        return model.record_id

    def anchor_home(self, fleet: BuyerFleet) -> None:
        """A checkpoint of the buyer's log goes to the chain."""
        log = fleet.home.log
        log.checkpoint(fleet.home.signers())
        message = next_anchor(log, self.read(AnchorRecord, anchor_key(log.origin)))
        assert message is not None
        self.must(fleet.authority, message)

    def amend(self, contract: bytes, **changes: Any) -> None:
        """The next version of a contract of the template."""
        policy, terms = self.template()
        terms.MergeFrom(Terms(**changes))
        self.must(self.seller, AmendContract(contract=contract, policy=policy, terms=terms))

    def consented(self, robot: Robot, purpose: str = "training") -> bytes:
        """Consent to a robot's recording, by an account that stands for a patient."""
        patient = account_of(self.authority)
        consent = consent_id(self.chain, patient, self.sequence(patient))
        message = GrantConsent(
            subject=b"s" * 32,
            origin=robot.origin,
            record_id=[robot.recorded.record_id],
            purpose=purpose,
        )
        self.must(self.authority, message)
        self.must(self.seller, AcknowledgeConsent(consent=consent))
        return consent

    def confirm(self, use: Use) -> None:
        """The holder of a grant says that what it bought is erased."""
        self.must(use.key, ConfirmErasure(grant=use.grant.grant))

    def register(self, fleet: BuyerFleet, model: bytes, name: str, *uses: Use) -> None:
        """The fleet registers a model of its robot's home, trained under the uses' grants."""
        experience = fleet.home.experiences.record(model).experience
        message = RegisterModel(
            fleet=fleet.id,
            name=name,
            content_root=experience.content_root,
            content_size=experience.content_size,
            grants=sorted(use.grant.grant for use in uses),
        )
        self.must(fleet.authority, message)

    def withdraw_consent(self, robot: Robot, consent: bytes, *, shown: bool = True) -> None:
        """Consent is withdrawn, the content erased, and that shown if it is to be."""
        self.must(self.authority, WithdrawConsent(consent=consent))
        erase(robot.home.experiences, [robot.recorded.record_id], "consent was withdrawn")
        if shown:
            log = robot.home.log
            index = log.size - 1
            self.anchor(robot)
            report = ReportErasure(
                consent=consent,
                entry=log.entry(index),
                index=index,
                path=log.prove_inclusion(index, log.size),
            )
            self.must(self.authority, report)

    def bag_of(self, robot: Robot) -> Path:
        """The folder of files that a robot's recording was made of."""
        for folder in sorted(self.root.glob("drive-*")):
            files = sorted(folder.iterdir())
            if robot.content == b"".join(path.read_bytes() for path in _in_order(files, robot)):
                return folder
        raise AssertionError(robot.origin)

    @property
    def homes(self) -> tuple[Path, ...]:
        """Of all robots, sellers' and buyers'."""
        sellers = [robot.home.paths.root for robot in self.robots]
        return (*sellers, *(fleet.home.paths.root for fleet in self.fleets))

    def _home(self, authority: PrivateKey, fleet: bytes, origin: str) -> HomeWriter:
        root = self.root / self.name("buyer")
        create_home(root, origin)
        home = self._stack.enter_context(open_home_to_write(root))
        key = home.entry_key()
        signed = key.sign(register_message(self.chain, fleet, account_of(key), origin))
        self.must(
            authority,
            RegisterRobot(
                fleet=fleet, origin=origin, key=account_of(key), signature=signed, role="courier"
            ),
        )
        return home


def _in_order(files: list[Path], robot: Robot) -> list[Path]:
    """The files in the order of the recording's entry."""
    record = robot.home.experiences.record(robot.recorded.record_id)
    by_name = {path.name: path for path in files}
    return [by_name[file.name] for file in record.experience.files if file.name in by_name]


def busy_world(root: Path, held: ExitStack) -> TradingWorld:
    """Three robots that sold to two fleets, in every way there is; one patient withdrew."""
    world = TradingWorld(root, held)
    rover = world.selling_robot("sellers.example/rover-2", seed=2)
    clinic = world.selling_robot("sellers.example/clinic", seed=3)
    coast, forest = world.fleet("coast guard"), world.fleet("forest watch")
    paid = world.deploy(uses=3)
    husky_paid = world.post(paid, world.husky, "reward>=0.8")
    rover_paid = world.post(paid, rover, "reward>=0.8", "length>=1")
    shared = world.deploy(
        uses=3, deposit=500, record_price=900, royalties=[Royalty(account=AUTHOR, parts=1_000)]
    )
    clinic_shared = world.post(shared, clinic, "reward>=0.8")
    rover_shared = world.post(shared, rover, "reward>=0.8")
    consent = world.consented(clinic)

    first = world.use(coast, husky_paid)
    world.stream(first)
    second = world.use(coast, rover_paid)
    world.stream(second, paid=second.grant.price // 2)
    world.amend(paid, chunk_price=40, uses=3)
    third = world.use(forest, husky_paid)
    world.stream(third)
    fourth = world.use(forest, rover_shared)
    world.sale(fourth)
    fifth = world.use(coast, clinic_shared)
    world.stream(fifth)
    world.use(forest, clinic_shared)
    world.withdraw_consent(clinic, consent)
    world.confirm(fifth)
    world.stream(world.use(forest, husky_paid), close=False)
    world.sale(world.use(coast, rover_shared), settled=False)

    bought = world.keep(coast, first, world.husky)
    half = world.keep(coast, second, rover)
    model = world.train(coast, "deliver-parcels 2", [bought.record_id, half.record_id])
    world.register(coast, model, "deliver-parcels 2", first, second)
    world.keep(forest, fourth, rover, version=1)
    for fleet in (coast, forest):
        world.anchor_home(fleet)
    return world
