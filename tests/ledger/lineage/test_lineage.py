"""Lineage: from a model back to recordings, purchases and a chain, and forth again."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest
from google.protobuf.message import Message

from ledger.chain.codes import ResultCode
from ledger.chain.ids import consent_id, model_id
from ledger.chain.state_keys import model_key
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.erasure import erase
from ledger.experience.ingest import IngestOptions, ingest
from ledger.experience.kinds import Acquisition
from ledger.experience.provenance import record_training
from ledger.lineage.chain_facts import ChainFacts
from ledger.lineage.chain_lineage import TradeIndex, entry_on_chain, model_on_chain
from ledger.lineage.graph import Concern, ConcernKind, Lineage
from ledger.lineage.home_lineage import lineage_of
from ledger.lineage.registration import registration_of
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_consent_pb2 import ConfirmErasure, GrantConsent, WithdrawConsent
from ledger.schema.chain_grant_pb2 import PruneGrants
from ledger.schema.chain_learning_pb2 import ModelRecord, WithdrawModel
from tests.ledger.chain.frozen.eventful_chain import build
from tests.ledger.chain.frozen.eventful_learning import MODEL_ROOT
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.exchange_world import ANYBODY, LIFETIME, ExchangeWorld
from tests.ledger.chain.rules.sharing_world import ROBOT
from tests.ledger.chain.rules.test_rule_withdrawn import withdrawn
from tests.ledger.experience.experience_home import ORIGIN, TestHome, make_recording

K = ConcernKind
M = TypeVar("M", bound=Message)


class Rows:
    """The rows of a world."""

    def __init__(self, state: object) -> None:
        self._state = state

    def read(self, kind: type[M], key: bytes, /) -> M | None:
        found: M | None = self._state.read(kind, key)  # type: ignore[attr-defined]
        return found


class Robot:
    """A robot of the buyers' fleet: two recordings, one bought, and two models."""

    def __init__(self, folder: Path, home: TestHome) -> None:
        self.world = ExchangeWorld()
        self.home, self.folder = home, folder
        self.world.register(self.world.buyers, ORIGIN, authority="bob")
        self.own = self.recording("own")
        self.bought = self.recording("bought", IngestOptions(acquired=self.purchase))
        self.base = self.recording("base")
        self.tuned = self.recording("tuned")
        record_training(home.writer, self.base, "grasp", [self.own, self.bought])
        record_training(home.writer, self.tuned, "grasp-2", [self.base, self.own])

    def recording(self, name: str, options: IngestOptions | None = None) -> bytes:
        made = make_recording(self.folder / name, seed=len(name), name=name, shrunk=100)
        return ingest(self.home.writer, made, options).record_id

    def purchase(self, record_id: bytes, chain: bytes | None = None) -> Acquisition:
        granted = self.world.granted
        offer = self.world.offer(granted.offer)
        assert offer is not None
        return Acquisition(
            record_id,
            chain or self.world.chain,
            self.world.grant,
            granted.offer,
            granted.contract,
            granted.version,
            offer.origin,
            offer.leaf,
            granted.content_root,
        )

    @property
    def facts(self) -> ChainFacts:
        return ChainFacts(self.world.chain, Rows(self.world.state))

    def of(self, record_id: bytes, *, asked: bool = True) -> Lineage:
        return lineage_of(self.home.writer, record_id, self.facts if asked else None)

    def leaf(self, record_id: bytes) -> bytes:
        index = self.home.log.record_index(record_id)
        return leaf_hash(self.home.log.entry(index))

    def register(self, record_id: bytes, name: str = "grasp") -> bytes:
        size = self.home.writer.record(record_id).experience.content_size
        message = registration_of(
            self.of(record_id), self.world.chain, self.world.buyers, name, size
        )
        assert self.world.code(self.world.key("bob"), message) == ResultCode.OK
        return model_id(self.world.chain, self.world.buyers, message.content_root)


@pytest.fixture
def robot(tmp_path: Path, home: TestHome) -> Robot:
    return Robot(tmp_path / "made", home)


class TestBack:
    def test_from_a_model_to_all_that_it_came_from(self, robot: Robot) -> None:
        lineage = robot.of(robot.tuned, asked=False)
        sources = [node.record_id for node in lineage.sources()]
        assert sources == [robot.tuned, robot.own, robot.base, robot.bought]
        tuned, base = lineage.nodes[robot.tuned], lineage.nodes[robot.base]
        assert (tuned.model_name, base.model_name) == ("grasp-2", "grasp")
        assert set(tuned.inputs) == {robot.base, robot.own}
        assert lineage.inputs(robot.base) == [robot.own, robot.bought]
        assert lineage.nodes[robot.own].leaf == robot.leaf(robot.own)
        assert lineage.concerns() == ()
        # Without a chain a purchase is what the entry says.
        (purchase,) = lineage.nodes[robot.bought].purchases
        assert purchase.acquisition == robot.purchase(robot.bought)
        assert purchase.agreement is None
        assert lineage.grants() == (robot.world.grant,)
        assert robot.of(robot.own).grants() == ()

    def test_a_chain_says_under_what_it_was_bought(self, robot: Robot) -> None:
        (purchase,) = robot.of(robot.bought).nodes[robot.bought].purchases
        agreement = purchase.agreement
        assert agreement is not None
        assert (agreement.contract_name, agreement.seller_fleet) == ("drives", "sellers")
        assert (agreement.purpose, agreement.pruned) == ("rescue", False)
        assert purchase.acquisition.seller == ROBOT
        robot.world.advance(LIFETIME + 1)
        robot.world.must(ANYBODY, PruneGrants(grants=[robot.world.grant]))
        (later,) = robot.of(robot.bought).nodes[robot.bought].purchases
        assert later.agreement is not None
        assert (later.agreement.purpose, later.agreement.pruned) == ("", True)

    def test_of_another_chain_it_says_nothing(self, robot: Robot) -> None:
        far = robot.recording("far", IngestOptions(acquired=lambda r: robot.purchase(r, bytes(32))))
        (purchase,) = robot.of(far).nodes[far].purchases
        assert purchase.agreement is None

    def test_models_that_claim_to_come_from_each_other_end(self, robot: Robot) -> None:
        record_training(robot.home.writer, robot.base, "grasp", [robot.tuned])
        lineage = robot.of(robot.base)
        assert {node.record_id for node in lineage.sources()} == {
            robot.base,
            robot.tuned,
            robot.own,
            robot.bought,
        }
        assert lineage.downstream[robot.base] == (robot.tuned,)

    def test_of_nothing(self, robot: Robot) -> None:
        with pytest.raises(NotFoundError):
            robot.of(b"x" * 16)


def test_forth_from_a_recording_to_the_models_it_went_into(robot: Robot) -> None:
    lineage = robot.of(robot.bought)
    assert lineage.downstream == {
        robot.bought: (robot.base,),
        robot.base: (robot.tuned,),
        robot.tuned: (),
    }
    assert lineage.nodes[robot.tuned].model_name == "grasp-2"
    # What else went into those is no source of the recording.
    assert [node.record_id for node in lineage.sources()] == [robot.bought]


class TestConcerns:
    def test_what_was_erased(self, robot: Robot) -> None:
        erase(robot.home.writer, [robot.own])
        found = robot.of(robot.tuned, asked=False).concerns()
        assert found == (Concern(K.ERASED, robot.own),)
        assert robot.of(robot.bought, asked=False).concerns() == ()

    def test_consent_of_what_was_bought(self, robot: Robot) -> None:
        robot.world.advance(3)
        withdrawn(robot.world)
        concern = Concern(K.BOUGHT_CONSENT_WITHDRAWN, robot.bought, robot.world.height)
        assert robot.of(robot.tuned).concerns() == (concern,)
        (purchase,) = robot.of(robot.bought).nodes[robot.bought].purchases
        assert purchase.agreement is not None
        assert purchase.agreement.receipt_is_due
        message = ConfirmErasure(grant=robot.world.grant)
        assert robot.world.code(robot.world.buyer, message) == ResultCode.OK
        (after,) = robot.of(robot.bought).nodes[robot.bought].purchases
        assert after.agreement is not None
        assert not after.agreement.receipt_is_due
        assert after.agreement.confirmed_height == robot.world.height
        # The model still came from it.
        assert robot.of(robot.tuned).concerns() == (concern,)

    def test_consent_of_the_robots_own(self, robot: Robot) -> None:
        world, bob = robot.world, robot.world.key("bob")
        account = world.account(bob)
        name = consent_id(world.chain, account_of(bob), account.sequence if account else 0)
        world.must(bob, GrantConsent(subject=bytes(32), origin=ORIGIN, record_id=[robot.own]))
        assert robot.of(robot.tuned).concerns() == ()
        world.advance()
        world.must(bob, WithdrawConsent(consent=name))
        concern = Concern(K.CONSENT_WITHDRAWN, robot.own, world.height)
        assert robot.of(robot.tuned).concerns() == (concern,)
        assert robot.of(robot.tuned, asked=False).concerns() == ()

    def test_a_contract_that_is_over(self, robot: Robot) -> None:
        robot.world.withdraw(robot.world.granted.contract)
        concern = Concern(K.CONTRACT_WITHDRAWN, robot.bought, robot.world.height)
        assert robot.of(robot.tuned).concerns() == (concern,)


class TestRegistration:
    def test_names_all_of_it_however_far_back(self, robot: Robot) -> None:
        message = registration_of(
            robot.of(robot.tuned), robot.world.chain, robot.world.buyers, "x", 5
        )
        assert list(message.inputs) == sorted(map(robot.leaf, (robot.own, robot.base)))
        assert list(message.grants) == [robot.world.grant]
        assert message.content_root == (
            robot.home.writer.record(robot.tuned).experience.content_root
        )

    def test_is_found_again_from_the_log(self, robot: Robot) -> None:
        assert robot.of(robot.base).nodes[robot.base].registered is None
        model = robot.register(robot.base)
        robot.world.advance()
        found = robot.of(robot.tuned).nodes[robot.base].registered
        assert found is not None
        assert (found.model, found.fleet, found.unnamed) == (model, "buyers", ())
        assert robot.of(robot.tuned).nodes[robot.tuned].registered is None
        message = WithdrawModel(model=model)
        assert robot.world.code(robot.world.key("bob"), message) == ResultCode.OK
        after = robot.of(robot.base).nodes[robot.base].registered
        assert after is not None
        assert after.withdrawn_height == robot.world.height

    def test_a_grant_that_it_keeps_quiet_about_is_seen(self, robot: Robot) -> None:
        model = robot.register(robot.base)
        record = robot.world.state.read(ModelRecord, model_key(model))
        assert record is not None
        del record.grants[:]
        robot.world.state.write(model_key(model), record)
        found = robot.of(robot.base).nodes[robot.base].registered
        assert found is not None
        assert found.unnamed == (robot.world.grant,)

    def test_is_of_a_model_that_was_bought_here(self, robot: Robot) -> None:
        chain, fleet = robot.world.chain, robot.world.buyers
        with pytest.raises(RefusedError, match="no model"):
            registration_of(robot.of(robot.own), chain, fleet, "x", 5)
        with pytest.raises(RefusedError, match="another chain"):
            registration_of(robot.of(robot.base), bytes(32), fleet, "x", 5)


class TestChainAlone:
    def test_a_model_tells_what_it_was_bought_under(self, robot: Robot) -> None:
        model = robot.register(robot.tuned)
        robot.world.advance(LIFETIME + 1)
        robot.world.must(ANYBODY, PruneGrants(grants=[robot.world.grant]))
        withdrawn(robot.world)
        found = model_on_chain(robot.facts, model)
        assert found is not None
        assert (found.fleet_name, found.record.name) == ("buyers", "grasp")
        (bought,) = found.bought
        assert (bought.origin, bought.under.purpose) == (ROBOT, "rescue")
        assert bought.agreement is not None
        assert (bought.agreement.contract_name, bought.agreement.pruned) == ("drives", True)
        assert bought.agreement.withdrawn is not None
        assert model_on_chain(robot.facts, bytes(32)) is None

    def test_blocks_lead_from_an_entry_to_its_models(self) -> None:
        chain = build()
        index = TradeIndex(chain.chain)
        for block in chain.blocks:
            encoded = [each for each, _ in block.transactions]
            index.take(encoded, [result.encode() for _, result in block.transactions])
        facts = ChainFacts(chain.chain, Rows(chain.state))
        (model,) = index.models
        assert index.models_of(index.fleets[model]) == (model,)
        found = model_on_chain(facts, model)
        assert found is not None
        assert found.record.content_root == MODEL_ROOT
        (bought,) = found.bought
        leaf = bought.under.leaf
        entry = entry_on_chain(facts, index, leaf)
        assert entry is not None
        assert [offer for offer, _, _ in entry.offers] == [bought.under.offer]
        assert [each.model for each in entry.models] == [model]
        # An own input is found as well; what nobody offered and trained on is not.
        own = entry_on_chain(facts, index, bytes(32))
        assert own is not None
        assert (own.offers, [each.model for each in own.models]) == ((), [model])
        assert entry_on_chain(facts, index, b"\xff" * 32) is None
