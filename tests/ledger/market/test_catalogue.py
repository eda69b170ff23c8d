"""Offers are found by walking the chain, and shown as it proves them now."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.proven.chain import ProvenChain
from ledger.errors import MalformedError, NotFoundError, VerificationError
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.market.catalogue import Catalogue, find_listing
from ledger.market.listing import ProvenQuality, Search, Sort
from ledger.offering import BITS, Bound, QualityClaim
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    QualityBound,
    WithdrawContract,
    WithdrawOffer,
)
from tests.fleet.sharing_market import Offered, Robot
from tests.ledger.market.buyers_world import BuyersWorld

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def short(world: BuyersWorld) -> Robot:
    """A robot with a shorter recording."""
    return world.robot("sellers.example/kiwi", seed=3, seconds=4.0)


@pytest.fixture(scope="module")
def both(world: BuyersWorld, short: Robot) -> tuple[Offered, Offered]:
    dear = world.offered(record_price=500)
    return dear, world.post(world.deploy(record_price=7), short, "length<=6.5")


def names(catalogue: Catalogue, **search: Any) -> list[bytes]:
    return [each.offer for each in catalogue.search(Search(**search))]


@pytest.fixture
def catalogue(world: BuyersWorld, both: tuple[Offered, Offered], tmp_path: Path) -> Catalogue:
    made = Catalogue(world.proven, tmp_path / "catalogue")
    made.update()
    return made


def test_what_stands_is_listed_with_its_price(
    world: BuyersWorld, both: tuple[Offered, Offered], catalogue: Catalogue
) -> None:
    dear, cheap = both
    assert {dear.offer, cheap.offer} <= set(names(catalogue))
    listing = catalogue.find(dear.offer)
    assert listing.price == 500 + 3
    assert (listing.fleet, listing.record.origin) == ("sellers", world.husky.origin)
    assert listing.version.terms.uses
    assert listing.height == world.height()
    (reward,) = listing.qualities
    assert (reward.name, reward.low, reward.claimed) == (
        "reward_task",
        Fraction(8, 10),
        Bound.AT_LEAST,
    )
    assert reward.words == "reward_task >= 0.8"
    (length,) = catalogue.find(cheap.offer).qualities
    assert length.words == "length <= 6.5"


def test_searches(both: tuple[Offered, Offered], catalogue: Catalogue, short: Robot) -> None:
    dear, cheap = both

    def found(**search: Any) -> tuple[bool, bool]:
        listed = names(catalogue, **search)
        return dear.offer in listed, cheap.offer in listed

    assert found() == (True, True)
    assert found(kind="episode") == (True, True)
    assert found(kind="dataset") == (False, False)
    assert found(tags=["kind=episode"]) == found(tags=["kind"]) == (True, True)
    assert found(tags=["kind=dataset"]) == (False, False)
    topic = catalogue.find(dear.offer).record.topics[0]
    assert found(topics=[topic]) == (True, True)
    assert found(topics=[topic, topic + "/other"]) == (False, False)
    assert found(text="EPISODE kiwi") == (False, True)
    assert found(text="episode weka") == (False, False)
    assert found(max_price=502) == (False, True)
    assert found(max_price=503) == (True, True)
    assert found(asset=1) == (False, False)
    assert found(max_age_ns=HOUR_NS) == (False, False)
    assert found(max_age_ns=2**63) == (True, True)
    assert found(qualities=[QualityClaim.parse("reward>=0.8")]) == (True, False)
    assert found(qualities=[QualityClaim.parse("reward_task>=0.8")]) == (True, False)
    assert found(qualities=[QualityClaim.parse("reward_self>=0.8")]) == (False, False)
    assert found(qualities=[QualityClaim.parse("reward>=0.800001")]) == (False, False)
    assert found(qualities=[QualityClaim.parse("length<=7")]) == (False, True)
    assert found(qualities=[QualityClaim.parse("length<=6")]) == (False, False)

    listed = catalogue.search(Search(sort=Sort.CHEAPEST))
    assert [each.price for each in listed] == sorted(each.price for each in listed)
    assert listed[0].offer == cheap.offer
    newest = catalogue.search(Search(sort=Sort.NEWEST))
    assert newest[0].record.end_ns == max(each.record.end_ns for each in newest)
    assert catalogue.search(Search(limit=1)) == newest[:1]


def test_what_changes_is_seen(world: BuyersWorld, tmp_path: Path) -> None:
    offered, path = world.offered(), tmp_path / "catalogue"
    catalogue = Catalogue(world.proven, path)
    assert catalogue.update()
    assert catalogue.height == world.height()
    assert not catalogue.update()
    policy, terms = world.template()
    terms.record_price = 9
    world.must(world.seller, AmendContract(contract=offered.contract, policy=policy, terms=terms))
    again = Catalogue(world.proven, path)
    assert again.height == catalogue.height
    # The price is that of now, whether or not anybody walked on.
    assert [each.price for each in again.search() if each.offer == offered.offer] == [12]

    world.must(world.seller, WithdrawOffer(offer=offered.offer))
    assert offered.offer not in names(again)
    again.update()
    with pytest.raises(NotFoundError):
        again.resolve(offered.offer.hex())
    world.post(offered.contract, world.husky, "reward>=0.8")
    again.update()
    assert again.resolve(offered.offer.hex()[:20]) == offered.offer
    world.must(world.seller, WithdrawContract(contract=offered.contract))
    assert offered.offer not in names(again)
    with pytest.raises(NotFoundError, match="contract"):
        find_listing(world.proven, offered.offer)
    with pytest.raises(MalformedError, match="offers begin"):
        world.offered()
        again.update()
        again.resolve("")


def test_what_nobody_can_have_is_not_listed(world: BuyersWorld) -> None:
    ending = world.offered(expiry_height=world.height() + 6)
    forked = world.robot("sellers.example/forked", seed=5, seconds=2.0)
    of_forked = world.post(world.deploy(), forked)
    catalogue = Catalogue(world.proven)
    catalogue.update()
    assert of_forked.offer in names(catalogue)
    world.fork(forked)
    assert of_forked.offer not in names(catalogue)
    assert catalogue.find(of_forked.offer).record.origin == forked.origin
    world.pass_blocks(10)
    assert ending.offer not in names(catalogue)


def test_a_file_that_is_damaged_or_anothers_is_made_anew(
    world: BuyersWorld, both: tuple[Offered, Offered], tmp_path: Path
) -> None:
    path = tmp_path / "catalogue"
    Catalogue(world.proven, path).update()
    data = path.read_bytes()
    for at in (0, 20, 60, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert Catalogue(world.proven, path).height == 0
    path.write_bytes(b"")
    again = Catalogue(world.proven, path)
    again.update()
    assert path.read_bytes() == data or again.height > 0
    assert {each.offer for each in both} <= set(names(again))


def test_an_engine_that_names_what_is_not_there_shows_nothing(world: BuyersWorld) -> None:
    catalogue = Catalogue(world.proven)
    catalogue.update()
    with pytest.raises(NotFoundError):
        catalogue.find(bytes(32))


def test_what_is_shown_is_proven(world: BuyersWorld, both: tuple[Offered, Offered]) -> None:
    """An engine that changes what it shows is found out at once."""
    other = world.robot("sellers.example/tui", seed=4, seconds=2.0)
    assert other

    class Lying:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.engine, name)

        def answer(self, key: bytes, height: int | None = None) -> bytes:
            answer = bytearray(world.engine.answer(key, height))
            if key[:1] == b"\x51":
                answer[len(answer) // 3] ^= 1
            return bytes(answer)

    lying = ProvenChain(Lying(), world.trust)  # type: ignore[arg-type]
    with pytest.raises((VerificationError, MalformedError)):
        find_listing(lying, both[0].offer)


@given(
    value=st.integers(-(10**6), 10**6),
    low=st.integers(-(10**6), 10**6),
    at_least=st.booleans(),
)
def test_a_proven_interval_proves_what_holds_of_all_of_it(
    value: int, low: int, at_least: bool
) -> None:
    width = (1 << BITS) - 1
    scale = 1_000
    bound = QualityBound(
        kind=CommitmentKind.REWARD.value,
        source=RewardSource.TASK.value,
        low=low if at_least else low - width,
        high=low + width if at_least else low,
        offset=0,
        scale=scale,
    )
    quality = ProvenQuality.of(bound)
    sign = Bound.AT_LEAST if at_least else Bound.AT_MOST
    claim = QualityClaim(CommitmentKind.REWARD, None, sign, Fraction(value, scale))
    assert quality.proves(claim) == (low >= value if at_least else low <= value)
    assert quality.claimed is sign
