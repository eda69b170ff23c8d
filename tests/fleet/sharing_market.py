"""Two fleets on one chain: recordings of one that members of the other may buy.

Nothing is made up: the engine is the real one, every record is read with its proof, the
recording came out of the simulator and lies in a robot's home, its reward hidden, and
members hold credentials that their fleet's issuer made.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from quipu_sim.episode import EpisodeSummary, run_episode

from ledger.chain.anchoring import next_anchor
from ledger.chain.channel.identity import channel_id
from ledger.chain.codes import ResultCode
from ledger.chain.fleets import fleet_id
from ledger.chain.ids import contract_id, grant_id, offer_id
from ledger.chain.rules.robot import register_message
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import (
    anchor_key,
    fleet_key,
    nullifier_key,
)
from ledger.cli.chain_access import ChainAccess
from ledger.cli.contract_folder import read_folder, write_template
from ledger.cli.contract_terms import terms_message
from ledger.credentials.grant_request import GrantRequest, choose_use, round_time
from ledger.credentials.issuer_home import IssuerHome
from ledger.credentials.member_file import MemberFile, gap_of
from ledger.ed25519 import PrivateKey
from ledger.exchange.counter import Counter
from ledger.exchange.grant import Grant
from ledger.exchange.home_units import HomeContents
from ledger.exchange.seller import Desk
from ledger.experience.ingest import IngestOptions, IngestReceipt, ingest
from ledger.experience.kinds import RewardSource, Tag
from ledger.experience.readers import read_recording
from ledger.home import HomeWriter, create_home, open_home_to_write
from ledger.merkle.hashing import leaf_hash
from ledger.offering import QualityClaim, Seller, offer_message
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.hidden_values import hide
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_identity_pb2 import (
    CreateFleet,
    FleetRecord,
    RegisterRobot,
    SetIssuerKey,
    SetSponsorship,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_sharing_pb2 import DeployContract, PostOffer, Terms
from ledger.wallet.key_file import read_key
from ledger.wallet.payer import PayerOpen, PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.fleet.sharing_chain import FEE, NEVER, SharingChain
from tests.ledger.chain.rules.chain_world import account_of
from zkproofs import credential as zk

ANONYMOUS_AMOUNT: Final = 1_000
"""Of the buyers' pool for members it cannot tell, in a window of 1,000 blocks."""
HUSKY: Final = "sellers.example/husky"
BUYERS: Final = "buyers"
SECONDS: Final = 15.0
"""Of the episode; it is content of three chunks."""
REWARD_AT_LEAST: Final = "reward>=0.8"
STARTED_NS: Final = 1_700_000_000_000_000_000
YEAR_S: Final = 365 * 24 * 3_600


@dataclass(frozen=True)
class Robot:
    """A robot of the sellers: its home, open to write, and its recording."""

    origin: str
    home: HomeWriter
    recorded: IngestReceipt
    content: bytes

    @property
    def key(self) -> PrivateKey:
        return self.home.entry_key()


@dataclass(frozen=True)
class Offered:
    """A contract, and the recording that is offered under it."""

    contract: bytes
    offer: bytes


@dataclass(frozen=True)
class Bought:
    """A grant that a one-time key has, in a wallet of its own."""

    wallet: Wallet
    grant: Grant


class SharingMarket(SharingChain):
    """The two fleets at their chain."""

    def __init__(self, root: Path, held: ExitStack) -> None:
        self.sellers_wallet: Final = Wallet.create(root / "sellers")
        self.buyers_wallet: Final = Wallet.create(root / "buyers")
        super().__init__(root, held, rich=(self.sellers_wallet.account, self.buyers_wallet.account))
        self.sellers: Final = fleet_id(self.chain, "sellers")
        self.buyers: Final = fleet_id(self.chain, BUYERS)
        self.seller: Final = read_key(root / "sellers" / "key")
        """The sellers' authority, which offers for its robots and is paid."""
        self.authority: Final = read_key(root / "buyers" / "key")
        """The buyers'."""
        self._held: Final = held
        self._found_fleets()
        self.issuer: Final = IssuerHome.create(root / "issuer", BUYERS)
        self.must(
            self.authority,
            SetIssuerKey(fleet=self.buyers, epoch=0, public_key=self.issuer.public_key),
        )
        self.husky: Final = self.robot(HUSKY, seed=1)
        self.contents: Final = self.contents_of(self.husky)
        self.counter: Final = self.counter_of(self.contents)

    @property
    def pool(self) -> int:
        """What the buyers' pool has."""
        return self.balance(pool_account(self.buyers))

    def pass_blocks(self, count: int) -> None:
        """Have so many blocks made."""
        for _ in range(count):
            self.must(self.authority, Transfer(recipient=self.seller_account, amount=1))

    # Robots that record, contracts and offers

    def robot(self, origin: str, seed: int, seconds: float = SECONDS) -> Robot:
        """A robot that was registered, recorded an episode, and anchored its log."""
        root = self.root / self.name("robot")
        create_home(root, origin)
        home = self._held.enter_context(open_home_to_write(root))
        key = home.entry_key()
        signed = key.sign(register_message(self.chain, self.sellers, account_of(key), origin))
        self.must(
            self.seller,
            RegisterRobot(fleet=self.sellers, origin=origin, key=account_of(key), signature=signed),
        )
        recorded, content = self._record(home, seed, seconds)
        robot = Robot(origin, home, recorded, content)
        self.anchor(robot)
        return robot

    def contents_of(self, robot: Robot) -> HomeContents:
        """What a robot's home has to sell."""
        recorded = robot.recorded
        return self._held.enter_context(
            HomeContents(robot.home.experiences, {recorded.content_root: recorded.record_id})
        )

    def counter_of(self, contents: HomeContents) -> Counter:
        """Where it is sold, and paid to the sellers' authority."""
        sales = self.root / self.name("sales")
        sales.mkdir()
        counter = Counter(Desk(self.sellers_wallet, self, sales), contents)
        self._held.callback(counter.close)
        return counter

    def anchor(self, robot: Robot) -> None:
        """Sign a checkpoint of the robot's log, and have the chain anchor it."""
        robot.home.log.checkpoint(robot.home.signers())
        message = next_anchor(robot.home.log, self.read(AnchorRecord, anchor_key(robot.origin)))
        assert message is not None
        self.must(self.seller, message)

    def template(self, name: str = "paid-dataset") -> tuple[str, Terms]:
        """Policy and terms of a template, as people get them."""
        folder = self.root / self.name("contract")
        write_template(folder, name)
        written = read_folder(folder)
        assert written.failing() == ()
        access = ChainAccess(folder, self.engine, self.genesis, self.trust, False)
        return written.policy.text, terms_message(access, written.terms)

    def deploy(self, **changes: Any) -> bytes:
        """A contract of the template; ``changes`` of its terms."""
        policy, terms = self.template()
        terms.MergeFrom(Terms(**changes))
        contract = contract_id(self.chain, self.seller_account, self.sequence(self.seller_account))
        self.must(
            self.seller,
            DeployContract(fleet=self.sellers, name="paid dataset", policy=policy, terms=terms),
        )
        return contract

    def posting(self, contract: bytes, robot: Robot, *claims: str) -> PostOffer:
        """The offer of a robot's recording with what is claimed of it proven."""
        log, index = robot.home.log, robot.recorded.index
        anchored = self.read(AnchorRecord, anchor_key(robot.origin))
        assert anchored is not None
        return offer_message(
            Seller(self.chain, self.seller_account, contract),
            robot.origin,
            log.entry(index),
            index,
            log.prove_inclusion(index, anchored.size),
            map(QualityClaim.parse, claims),
            robot.home.experiences.keys.get(robot.recorded.record_id).openings,
        )

    def offered(self, robot: Robot | None = None, **terms: Any) -> Offered:
        """A new contract, and the robot's recording under it: reward proven to be 0.8 or more."""
        return self.post(self.deploy(**terms), robot or self.husky, REWARD_AT_LEAST)

    def post(self, contract: bytes, robot: Robot, *claims: str) -> Offered:
        """Offer a robot's recording, with what is claimed of it proven."""
        posting = self.posting(contract, robot, *claims)
        self.must(self.seller, posting)
        return Offered(contract, offer_id(self.chain, contract, leaf_hash(posting.entry)))

    @property
    def seller_account(self) -> bytes:
        return account_of(self.seller)

    # Members that buy

    def member(
        self,
        robot_id: int,
        level: int = 3,
        expiry_s: int | None = None,
        path: Path | None = None,
    ) -> zk.Credential:
        """Issue a credential, from invitation to file, or renew the one at ``path``."""
        expiry = int(time.time()) + YEAR_S if expiry_s is None else expiry_s
        file = MemberFile(path or self.root / self.name("member"))
        invitation = self.issuer.invite("courier", level, expiry, robot_id)
        file.accept(self.issuer.answer(file.request(invitation)))
        return file.credential()

    def choose(self, member: zk.Credential, contract: bytes, uses: int) -> int:
        """A use that the member has left."""
        return choose_use(
            member,
            self.chain,
            contract,
            uses,
            lambda nullifier: self.row(nullifier_key(nullifier)) is not None,
        )

    def request(
        self,
        member: zk.Credential,
        offered: Offered,
        key: PrivateKey | None = None,
        gap: zk.Gap | None = None,
        fee: int = FEE,
        **fields: Any,
    ) -> bytes:
        """What a member sends that wants a grant; ``fields`` of what it wants."""
        fleet = self.read(FleetRecord, fleet_key(self.buyers))
        assert fleet is not None
        wanted = {
            "use": 0,
            "purpose": "training",
            "issuer_epoch": 0,
            "revocation_epoch": fleet.revocation_epoch,
            "time_s": round_time(int(time.time())),
            "min_level": 3,
            **fields,
        }
        asked = GrantRequest(
            chain=self.chain,
            offer=offered.offer,
            contract=offered.contract,
            fleet=self.buyers,
            **wanted,
        )
        gap = gap or gap_of(member, self.issuer.gaps())
        return asked.sign(member, gap, key or PrivateKey.generate(), fee, NEVER)

    def ask(self, member: zk.Credential, offered: Offered, **fields: Any) -> ResultCode:
        """The code of what comes of a request, by a key that nobody has seen."""
        return self.submit(self.request(member, offered, **fields))

    def granted(self, member: zk.Credential, offered: Offered, **fields: Any) -> Bought:
        """A grant, held by a wallet that was made for it."""
        wallet = Wallet.create(self.root / self.name("one-time"))
        key = read_key(wallet.root / "key")
        code = self.submit(self.request(member, offered, key, **fields))
        assert code == ResultCode.OK, code
        grant = self.grant(grant_id(self.chain, wallet.account))
        assert grant is not None
        return Bought(wallet, grant)

    def fund(self, bought: Bought, amount: int) -> None:
        """The buyers' fleet gives the one-time key what it is to spend."""
        self.must(self.authority, Transfer(recipient=bought.wallet.account, amount=amount))

    def open_channel(
        self, bought: Bought, payword: PayWordOffer | None = None, lasting: int = NEVER
    ) -> PayerOpen:
        """A channel of the one-time key that can pay for all that was granted.

        It is open for so many blocks at most.
        """
        wallet, grant = bought.wallet, bought.grant
        self.fund(bought, grant.price + 10 * FEE)
        sequence = self.sequence(wallet.account)
        opening = wallet.open_channel(
            self.chain,
            sequence,
            payee=grant.seller,
            asset=grant.asset,
            deposit=grant.price,
            expiry_height=min(NEVER, self.height() + lasting),
            challenge=5,
            payword=payword,
            grant=grant.grant,
        )
        self.must(read_key(wallet.root / "key"), opening.message)
        assert opening.channel == channel_id(self.chain, wallet.account, sequence)
        record = self.channel(opening.channel)
        assert record is not None
        return opening.opened(record)

    @property
    def homes(self) -> tuple[Path, ...]:
        """Of the robots whose logs are whole."""
        return (self.husky.home.paths.root,)

    # Inside

    def _found_fleets(self) -> None:
        self.must(self.seller, CreateFleet(name="sellers"))
        self.must(self.authority, CreateFleet(name=BUYERS))
        self.must(
            self.authority,
            SetSponsorship(
                fleet=self.buyers,
                period=1,
                anonymous_amount=ANONYMOUS_AMOUNT,
                anonymous_period=1_000,
            ),
        )
        self.must(self.authority, Transfer(recipient=pool_account(self.buyers), amount=10_000))

    def _record(self, home: HomeWriter, seed: int, seconds: float) -> tuple[IngestReceipt, bytes]:
        drive, files = _episode(seed, seconds)
        bag = self.root / self.name("drive")
        bag.mkdir()
        for name, content in files:
            (bag / name).write_bytes(content)
        (recording,) = read_recording(bag)
        marks = EpisodeMarks(drive.success, drive.reward, RewardSource.TASK)
        options = IngestOptions(
            tags=(Tag("kind", "episode"),),
            commit=lambda found: hide(marks, found.start_ns, found.end_ns),
        )
        whole = b"".join(file.path.read_bytes() for file in recording.files)
        return ingest(home.experiences, recording, options), whole


@cache
def _episode(seed: int, seconds: float) -> tuple[EpisodeSummary, tuple[tuple[str, bytes], ...]]:
    """An episode, driven once for all tests: how it went, and the files of its bag."""
    with TemporaryDirectory() as folder:
        bag = Path(folder) / "drive"
        drive = run_episode(bag, seconds=seconds, seed=seed, start_ns=STARTED_NS)
        files = tuple((path.name, path.read_bytes()) for path in sorted(bag.iterdir()))
    assert drive.reward >= 0.8
    return drive, files
