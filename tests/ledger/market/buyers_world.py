"""The buyers of a `SharingMarket` with all that `ledger.market` asks of them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from ledger.chain.ids import contract_id
from ledger.chain.proven.chain import ProvenChain
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.credentials.member_file import MemberFile
from ledger.exchange.counter import Counter
from ledger.exchange.grant import Grant, SaleChain
from ledger.exchange.messages import Reply
from ledger.exchange.seller import ClosingSale, Desk
from ledger.exchange.transport import InProcess, NoSellerError, Transport
from ledger.home import create_home, open_home_to_write
from ledger.market.acquisition import Acquisition
from ledger.market.budget import Budget, Limits
from ledger.market.funding import PoolFunding
from ledger.market.tools import Tools
from ledger.market.wish import Wish
from ledger.schema.chain_anchor_pb2 import ReportFork
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from ledger.schema.chain_sharing_pb2 import DeployContract
from ledger.witnessing.evidence import ForkClaim
from tests.fleet.sharing_market import REWARD_AT_LEAST, YEAR_S, Offered, Robot, SharingMarket

CHALLENGE_BLOCKS: Final = 20
"""Fewer than is usual: tests wait for them."""


class BuyersWorld(SharingMarket):
    """Acquisitions of its members' robots, over one light client."""

    def __init__(self, root: Path, held: ExitStack) -> None:
        super().__init__(root, held)
        self.proven: Final = ProvenChain(self.engine, self.trust)
        self.funding: Final = PoolFunding(
            self.proven, self.buyers_wallet, self.buyers, root / "funded"
        )

    def member_file(self, robot_id: int, level: int = 3, role: str = "courier") -> MemberFile:
        """A member's file with a credential that its fleet issued."""
        file = MemberFile(self.root / self.name("member"))
        invitation = self.issuer.invite(role, level, int(time.time()) + YEAR_S, robot_id)
        file.accept(self.issuer.answer(file.request(invitation)))
        return file

    def earned(self, grant: Grant) -> int:
        """What the seller's claims under a grant come to."""
        sale = self.counter.sale(grant.grant)
        return sale.earned if sale is not None else 0

    def offered_free(self, robot: Robot | None = None) -> Offered:
        """A recording under a contract that asks for no money."""
        return self._offered_with(robot, chunk_price=0, record_price=0)

    def offered_without_deposit(self) -> Offered:
        """A recording under a contract whose seller puts up nothing."""
        return self._offered_with(None, deposit=0)

    def offered_to_the_certified(self, certification: str) -> Offered:
        """A recording for members that show this certification, of whatever level."""
        level, shown = "proven_min_level >= 3", f'certifications.contains("{certification}")'
        return self._offered_with(None, (level, shown))

    def _offered_with(
        self, robot: Robot | None, edit: tuple[str, str] = ("", ""), **numbers: int
    ) -> Offered:
        """A recording under the template, edited, with these terms, which may be 0."""
        policy, terms = self.template()
        assert edit[0] in policy
        policy = policy.replace(*edit) if edit[0] else policy
        for name, number in numbers.items():
            setattr(terms, name, number)
        contract = contract_id(self.chain, self.seller_account, self.sequence(self.seller_account))
        self.must(
            self.seller,
            DeployContract(fleet=self.sellers, name="other terms", policy=policy, terms=terms),
        )
        return self.post(contract, robot or self.husky, REWARD_AT_LEAST)

    def fork(self, robot: Robot) -> None:
        """Somebody shows the chain that a robot's log forked."""
        note = robot.home.log.latest_checkpoint()
        assert note is not None
        other = replace(Checkpoint.of_note(note), root=b"\1" * 32)
        forged = sign_checkpoint(other, robot.home.signers())
        claim = ForkClaim.of(note, forged)
        self.must(self.authority, ReportFork(evidence=claim.encode()))

    def counter_over(self, chain: SaleChain) -> Counter:
        """The recording sold by who knows the chain so."""
        sales = self.root / self.name("sales")
        sales.mkdir()
        counter = Counter(Desk(self.sellers_wallet, chain, sales), self.contents)
        self._held.callback(counter.close)
        return counter

    def close_sale(self, grant: Grant) -> None:
        """The seller claims what it was paid under a grant."""
        closing = self.counter.close_sale(grant.grant)
        assert isinstance(closing, ClosingSale)
        message = closing.message()
        assert message is not None
        self.must(self.seller, message)

    def way(self, grant: Grant) -> Transport:
        """To the one counter that sells."""
        return InProcess(self.counter)

    def tools(self, member: MemberFile, **changed: Any) -> Tools:
        """What a robot buys with."""
        return Tools(
            **{
                "chain": self.proven,
                "member": member,
                "gaps": self.issuer.gaps,
                "funding": self.funding,
                "way": self.way,
                "settle_wait_s": 0.0,
                "challenge_blocks": CHALLENGE_BLOCKS,
                **changed,
            }
        )

    def begin(self, offer: bytes, purpose: str = "training", **wish: Any) -> Acquisition:
        """An acquisition in a folder of its own."""
        return Acquisition.begin(self.root / self.name("acquisition"), Wish(offer, purpose, **wish))

    @staticmethod
    def body(encoded: bytes) -> TransactionBody:
        """What a transaction asks for."""
        return TransactionBody.FromString(Transaction.FromString(encoded).body)

    def budget(self, **limits: Any) -> Budget:
        """A budget of its own."""
        return Budget.create(self.root / self.name("budget") / "budget", Limits(**limits))

    def home(self, origin: str) -> Path:
        """A buyer's robot's home."""
        root = self.root / self.name("home")
        create_home(root, origin)
        return root


def at_home(root: Path) -> Any:
    """The `Home` of tools."""
    return partial(open_home_to_write, root)


class Faulty:
    """The way to a seller that answers so many requests as it should."""

    def __init__(self, world: BuyersWorld, good: int) -> None:
        self.way, self.good = InProcess(world.counter), good

    def ask(self, request: bytes) -> Reply:
        self.good -= 1
        if self.good >= 0:
            return self.way.ask(request)
        return self.fault(request)

    def fault(self, request: bytes) -> Reply:
        raise NoSellerError("nobody is there")
