"""Consent that is withdrawn reaches who bought, who erases it and says so without a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.ids import consent_id
from ledger.credentials.member_file import MemberFile
from ledger.errors import RefusedError
from ledger.exchange.transport import NoSellerError
from ledger.experience.records import Presence
from ledger.home import open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Closed, Kept
from ledger.market.buying import NotYetError, abandon, acquire
from ledger.market.catalogue import Catalogue
from ledger.market.erasing import erase_bought, notice_to
from ledger.market.keeping import find_kept
from ledger.market.refusal import GrantRefusedError
from ledger.market.tools import Tools
from ledger.schema.chain_consent_pb2 import (
    AcknowledgeConsent,
    ConfirmErasure,
    GrantConsent,
    WithdrawConsent,
)
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered, Robot
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, Faulty, at_home


@dataclass
class Clinic:
    """A robot whose recording is of a patient, who may take consent back."""

    world: BuyersWorld
    robot: Robot
    consent: bytes
    tools: Tools
    home: Path
    kept: Acquisition
    cut_off: Acquisition
    free: Acquisition
    offered: Offered

    def withdraw(self) -> None:
        self.world.must(self.world.authority, WithdrawConsent(consent=self.consent))


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


@pytest.fixture(scope="module")
def clinic(world: BuyersWorld, member: MemberFile) -> Iterator[Clinic]:
    robot = world.robot("sellers.example/clinic", seed=3)
    patient = world.authority
    consent = consent_id(world.chain, account_of(patient), world.sequence(account_of(patient)))
    world.must(
        patient,
        GrantConsent(
            subject=b"s" * 32,
            origin=robot.origin,
            record_id=[robot.recorded.record_id],
            purpose="training",
        ),
    )
    world.must(world.seller, AcknowledgeConsent(consent=consent))
    world.counter = world.counter_of(world.contents_of(robot))  # type: ignore[misc]
    home = world.home("buyers.example/kea")
    tools = world.tools(member, home=at_home(home), budget=world.budget(total=1_000))
    offered = world.offered(robot)
    kept, cut_off = world.begin(offered.offer), world.begin(offered.offer)
    acquire(kept, tools)
    cut = world.tools(member, way=lambda grant: Faulty(world, good=3))
    with pytest.raises(NoSellerError):
        acquire(cut_off, cut)
    free = world.begin(world.offered_free(robot).offer)
    acquire(free, world.tools(member))
    yield Clinic(world, robot, consent, tools, home, kept, cut_off, free, offered)
    for each in (kept, cut_off, free):
        each.close()


def test_a_withdrawal_from_notice_to_receipt(clinic: Clinic, member: MemberFile) -> None:
    world, tools = clinic.world, clinic.tools
    bought = clinic.kept.state
    assert isinstance(bought, Kept)
    assert notice_to(clinic.kept, tools) is None
    with pytest.raises(RefusedError, match="nobody has withdrawn"):
        erase_bought(clinic.kept, tools)
    assert clinic.kept.files.is_dir()

    catalogue = Catalogue(world.proven)
    catalogue.update()
    assert clinic.offered.offer in {each.offer for each in catalogue.search()}
    clinic.withdraw()
    assert clinic.offered.offer not in {each.offer for each in catalogue.search()}
    notice = notice_to(clinic.kept, tools)
    assert notice is not None
    assert (notice.grant, notice.is_due) == (bought.grant.grant, True)
    assert notice.since_height == world.height()
    with pytest.raises(GrantRefusedError) as refusal:
        acquire(world.begin(clinic.offered.offer), tools)
    assert refusal.value.code is ResultCode.CONSENT_WITHDRAWN

    pool, size = world.pool, 0
    spent = tools.budget.standing().used() if tools.budget else 0
    for _ in range(2):  # the second time there is nothing left to do
        erased = erase_bought(clinic.kept, tools)
        assert erased.report is not None
        assert list(erased.report.entries) == [bought.record_id]
        assert not erased.report.still_readable
        assert world.pool == pool - FEE
        with open_home(clinic.home) as home:
            state = home.experiences.tables.state(bought.record_id)
            assert state.presence is Presence.ERASED
            assert size in (0, home.log.size)
            size = home.log.size
    again = notice_to(clinic.kept, tools)
    assert again is not None
    assert again.confirmed_height
    left = {path.name for path in clinic.kept.folder.iterdir()}
    assert left.isdisjoint({"files", "purchase", "deed"})
    assert tools.budget is not None
    assert tools.budget.standing().used() == spent
    assert acquire(clinic.kept, tools) == bought  # its state is where it was


def test_what_was_never_whole_is_erased_and_given_up(clinic: Clinic) -> None:
    tools = clinic.tools
    erase_bought(clinic.cut_off, tools)
    assert not (clinic.cut_off.folder / "purchase").exists()
    with pytest.raises(NotYetError):
        abandon(clinic.cut_off, tools)
    clinic.world.pass_blocks(CHALLENGE_BLOCKS)
    assert isinstance(abandon(clinic.cut_off, tools), Abandoned)
    notice = notice_to(clinic.cut_off, tools)
    assert notice is not None
    assert notice.confirmed_height


def test_what_was_free_is_confirmed_too(clinic: Clinic) -> None:
    world, tools = clinic.world, clinic.world.tools(clinic.tools.member)
    pool = world.pool
    # It is here, and in no home: it must not come into one any more.
    assert type(clinic.free.state) is Closed
    assert clinic.free.files.is_dir()
    with pytest.raises(RefusedError, match="consent of it was withdrawn"):
        acquire(clinic.free, clinic.tools)
    with open_home(clinic.home) as home:
        assert find_kept(home.experiences, world.chain, clinic.free.state.grant.grant) is None
    erased = erase_bought(clinic.free, tools)
    assert erased.report is None  # no home has it
    assert world.pool == pool - FEE


def test_the_pool_pays_no_more_than_the_receipt(clinic: Clinic) -> None:
    world = clinic.world
    notice = notice_to(clinic.kept, clinic.tools)
    assert notice is not None
    state = clinic.kept.state
    assert isinstance(state, Kept)
    key, pool = state.record.key, world.pool
    for asset, amount in ((0, 2), (0, 59), (1, 1)):
        with pytest.raises(RefusedError):
            world.funding.fund(notice.grant, key, asset, amount)
    for _ in range(3):
        world.funding.fund(notice.grant, key, 0, FEE)
    assert world.pool == pool
    code = world.do(world.authority, ConfirmErasure(grant=notice.grant))
    assert code is ResultCode.NOT_ALLOWED
