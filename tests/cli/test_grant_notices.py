"""Notices that reach a buyer whose grant is gone, and a chain that shows it less than before."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.chain.engines.server import ChainServer
from ledger.chain.ids import consent_id
from ledger.chain.machine.home import ChainPaths
from ledger.chain.state_keys import grant_key, nullifier_key
from ledger.credentials.member_file import MemberFile
from ledger.exchange.transport import TransportError
from ledger.market.acquisition_states import Abandoned, Granted
from ledger.market.buying import acquire
from ledger.market.giving_up import NotYetError, abandon
from ledger.market.shelf import Shelf
from ledger.market.wish import Wish
from ledger.schema.chain_consent_pb2 import AcknowledgeConsent, GrantConsent, WithdrawConsent
from ledger.schema.chain_grant_pb2 import GrantRecord, NullifierRecord, PruneGrants
from ledger.schema.chain_sharing_pb2 import WithdrawContract
from tests.cli.robot import CommandServer, Robot
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, Faulty, at_home

LIFETIME = 12


@dataclass
class Buyer:
    """A member at the command line, and the chain that it buys on."""

    world: BuyersWorld
    robot: Robot
    member: MemberFile
    shelf: Shelf

    def __post_init__(self) -> None:
        self.robot.extra["QUIPU_CHAIN"] = str(self.world.root / "chain")
        self.robot.extra["QUIPU_PURCHASES"] = str(self.shelf.root.parent)
        self.robot.extra["QUIPU_CREDENTIAL"] = str(self.member.path)
        self.robot.extra["QUIPU_WALLET"] = str(self.world.root / "buyers")
        self.robot.extra["XDG_CACHE_HOME"] = str(self.robot.folder / "cache")

    def buys(self, home: Path | None = None) -> bytes:
        """Buy the husky's recording; the grant's id."""
        world = self.world
        offer = world.offered(grant_lifetime=LIFETIME).offer
        tools = world.tools(self.member, home=at_home(home) if home else None)
        with self.shelf.begin(Wish(offer, "training")) as acquisition:
            return acquire(acquisition, tools).grant.grant

    def gives_up(self) -> bytes:
        """Have the husky's recording granted, and give the purchase up; the grant's id."""
        tools = self.world.tools(self.member, way=lambda grant: Faulty(self.world, good=3))
        with self.shelf.begin(Wish(self.world.offered().offer, "training")) as acquisition:
            with pytest.raises(TransportError):
                acquire(acquisition, tools)
            state = acquisition.state
            assert isinstance(state, Granted)
            with pytest.raises(NotYetError):
                abandon(acquisition, tools)
            self.world.pass_blocks(CHALLENGE_BLOCKS)
            assert type(abandon(acquisition, tools)) is Abandoned
            return state.grant.grant

    def withdraws(self) -> None:
        """Whoever is in the husky's recording takes consent back."""
        world = self.world
        signer = account_of(world.authority)
        consent = consent_id(world.chain, signer, world.sequence(signer))
        husky = world.husky
        world.must(
            world.authority,
            GrantConsent(
                subject=b"s" * 32,
                origin=husky.origin,
                record_id=[husky.recorded.record_id],
                purpose="training",
            ),
        )
        world.must(world.seller, AcknowledgeConsent(consent=consent))
        world.must(world.authority, WithdrawConsent(consent=consent))


@pytest.fixture
def buyer(
    server: CommandServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Buyer]:
    root = tmp_path / "market"
    root.mkdir()
    monkeypatch.setenv("QUIPU_PUBLISHED", str(root / "published"))
    with ExitStack() as held:
        world = BuyersWorld(root, held)
        held.enter_context(closing(ChainServer(world.engine, ChainPaths(root / "chain").socket)))
        shelf = Shelf(tmp_path / "purchases", world.chain)
        yield Buyer(world, Robot(tmp_path / "robot", server), world.member_file(1), shelf)


def test_a_buyer_whose_grant_was_pruned_is_told_and_erases(buyer: Buyer) -> None:
    world, robot = buyer.world, buyer.robot
    home = world.home("buyers.example/kea")
    at_hand, at_home_ = buyer.buys(), buyer.buys(home)
    world.pass_blocks(LIFETIME)
    world.must(world.authority, PruneGrants(grants=sorted([at_hand, at_home_])))
    assert [each["state"] for each in robot.told("grant")["grants"]] == ["pruned"] * 2
    assert robot.told("grant", "notices")["notices"] == []

    buyer.withdraws()
    told = robot.told("grant", "notices")["notices"]
    assert {each["grant"] for each in told} == {at_hand.hex(), at_home_.hex()}
    assert [(each["erased"], each["pruned"]) for each in told] == [(False, True)] * 2
    assert {each["withdrawn_height"] for each in told} == {world.height()}
    assert f"erase it: quipu grant erase {at_hand.hex()[:8]}" in robot.did("grant", "notices")
    assert [each["state"] for each in robot.told("grant")["grants"]] == ["to be erased"] * 2

    pool = world.pool
    said = robot.did("grant", "erase", at_hand.hex())
    assert said == f"erased what grant {at_hand.hex()[:8]} gave; the chain has pruned the grant\n"
    done = robot.told("grant", "erase", at_home_.hex(), "--home", home)
    assert (done["confirmed"], done["in_home"], done["surviving"]) == (False, True, [])
    assert world.pool == pool  # nobody pays for a receipt that cannot be given
    assert not any((each.folder / "files").exists() for each in buyer.shelf.all())
    assert [each["erased"] for each in robot.told("grant", "notices")["notices"]] == [True] * 2
    assert "erased, and the chain has pruned the grant" in robot.did("grant", "notices")
    assert [each["state"] for each in robot.told("grant")["grants"]] == ["erased"] * 2
    assert robot.told("grant", "erase", at_hand.hex())["confirmed"] is False


def test_who_gave_a_purchase_up_is_told_as_well_and_gives_the_receipt(buyer: Buyer) -> None:
    world, robot = buyer.world, buyer.robot
    grant = buyer.gives_up()
    assert robot.told("grant", "notices")["notices"] == []
    robot.refused("grant", "erase", grant.hex(), code=3)

    buyer.withdraws()
    (told,) = robot.told("grant", "notices")["notices"]
    assert (told["grant"], told["erased"], told["pruned"]) == (grant.hex(), False, False)
    assert robot.told("grant", "erase", grant.hex()[:8])["confirmed"] is True
    record = world.proven.read(GrantRecord, grant_key(grant))
    assert record is not None
    assert record.erased_height == world.height()
    assert [each["erased"] for each in robot.told("grant", "notices")["notices"]] == [True]


def test_what_is_over_leaves_the_state(buyer: Buyer) -> None:
    world, robot = buyer.world, buyer.robot
    grant = buyer.buys()
    record = world.proven.read(GrantRecord, grant_key(grant))
    assert record is not None
    used = nullifier_key(record.nullifier)

    def pruned() -> tuple[int, int]:
        told = robot.told("chain", "prune")
        return told["grants"], told["uses"]

    assert pruned() == (0, 0)
    world.pass_blocks(LIFETIME + 1)
    assert pruned() == (1, 0)
    assert world.proven.read(GrantRecord, grant_key(grant)) is None
    assert world.proven.read(NullifierRecord, used) is not None  # the use stays had
    world.must(world.seller, WithdrawContract(contract=record.contract))
    assert pruned() == (0, 1)
    assert world.proven.read(NullifierRecord, used) is None
    assert robot.did("chain", "prune") == "pruned 0 grants and 0 uses of contracts\n"


def test_no_later_command_believes_a_chain_that_shows_less(buyer: Buyer) -> None:
    world, robot = buyer.world, buyer.robot
    grant, offer = buyer.buys(), buyer.shelf.all()[0].wish.offer.hex()
    older = world.root / "older"
    # By another process: one that closes a file of a store gives up its locks.
    subprocess.run(["/bin/cp", "-r", world.root / "chain", older], check=True)
    ChainPaths(older).socket.unlink()
    buyer.withdraws()
    assert len(robot.told("grant", "notices")["notices"]) == 1
    robot.refused("buy", offer, "--purpose", "training", "--into", "copy", code=5)
    assert robot.told("market")["offers"] == []
    for words in (
        ("grant", "list"),
        ("grant", "show", grant.hex()),
        ("grant", "notices"),
        ("grant", "erase", grant.hex()),
        ("buy", offer, "--purpose", "training", "--into", "copy"),
        ("market", "search"),
        ("market", "show", offer),
        ("market", "show", offer[:8]),
    ):
        line = robot.refused(*words, "--chain", older, code=1)
        assert "it is an older copy" in line
