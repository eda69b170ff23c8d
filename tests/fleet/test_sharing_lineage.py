"""From a stream that pays royalties to a model's lineage: bought, trained on, told, withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.ids import consent_id
from ledger.chain.rules.robot import register_message
from ledger.chain.state_keys import offer_key
from ledger.exchange.buyer import BoughtContent
from ledger.exchange.deed import Deed, Promise
from ledger.exchange.transport import InProcess, buy
from ledger.experience.erasure import erase
from ledger.experience.ingest import IngestOptions, ingest
from ledger.experience.kinds import Acquisition
from ledger.experience.provenance import record_training
from ledger.experience.readers import read_recording
from ledger.fsck import AuditRequest, audit_home
from ledger.home import HomeWriter, create_home, open_home_to_write
from ledger.lineage.chain_facts import ChainFacts
from ledger.lineage.chain_lineage import model_on_chain
from ledger.lineage.graph import ConcernKind
from ledger.lineage.home_lineage import lineage_of
from ledger.lineage.registration import registration_of
from ledger.published import published_directory
from ledger.schema.chain_consent_pb2 import ConfirmErasure, GrantConsent, WithdrawConsent
from ledger.schema.chain_identity_pb2 import RegisterRobot
from ledger.schema.chain_sharing_pb2 import OfferRecord, Royalty
from ledger.wallet.key_file import read_key
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered, SharingMarket
from tests.fleet.test_sharing_in_process import close_channel, purchase_of
from tests.ledger.chain.rules.chain_world import account_of, known_key

LEARNER = "buyers.example/learner"
AUTHOR = account_of(known_key("author"))


@pytest.fixture
def learner(market: SharingMarket) -> Iterator[HomeWriter]:
    """A robot of the buyers, registered for them."""
    root = market.root / market.name("learner")
    create_home(root, LEARNER)
    with open_home_to_write(root) as home:
        key = home.entry_key()
        signed = key.sign(register_message(market.chain, market.buyers, account_of(key), LEARNER))
        market.must(
            market.authority,
            RegisterRobot(
                fleet=market.buyers, origin=LEARNER, key=account_of(key), signature=signed
            ),
        )
        yield home


def test_what_a_model_came_from_and_what_became_of_it(
    market: SharingMarket, learner: HomeWriter, tmp_path: Path
) -> None:
    # Bought, with a tenth of the price for the author.
    offered = market.offered(royalties=[Royalty(account=AUTHOR, parts=1_000)])
    before, author = market.balance(market.seller_account), market.balance(AUTHOR)
    bought = market.granted(market.member(robot_id=901), offered)
    payer = market.open_channel(bought)
    purchase = purchase_of(market, bought, payer)
    offer = market.read(OfferRecord, offer_key(offered.offer))
    assert offer is not None
    whole = buy(
        purchase,
        bought.wallet,
        payer,
        InProcess(market.counter),
        lambda _: None,
        Promise.of_record(offer),
    )
    assert isinstance(whole, BoughtContent)
    assert isinstance(whole.deed, Deed)
    files = tmp_path / "files"
    whole.place(files, whole.deed.files)
    close_channel(market, bought, payer)
    purchase.close()
    price = bought.grant.price
    assert market.balance(AUTHOR) == author + price // 10
    assert market.balance(market.seller_account) == before + price - price // 10 - FEE

    # Kept, and trained on together with the robot's own.
    def acquired(record_id: bytes) -> Acquisition:
        return Acquisition(
            record_id,
            market.chain,
            bought.grant.grant,
            offered.offer,
            offered.contract,
            1,
            offer.origin,
            offer.leaf,
            offer.content_root,
        )

    experiences = learner.experiences
    (recording,) = read_recording(files)
    kept = ingest(experiences, recording, IngestOptions(acquired=acquired)).record_id
    own, model = (_taken(learner, tmp_path / name) for name in ("own.bin", "policy.npz"))
    record_training(experiences, model, "grasp", [kept, own])
    facts = ChainFacts(market.chain, market)
    size = experiences.record(model).experience.content_size
    lineage = lineage_of(experiences, model, facts)
    message = registration_of(lineage, market.chain, market.buyers, "grasp", size)
    market.must(market.authority, message)

    # Everything is there, each row with its proof.
    lineage = lineage_of(experiences, model, facts)
    registered = lineage.nodes[model].registered
    assert registered is not None
    assert registered.unnamed == ()
    (bought_node,) = lineage.nodes[kept].purchases
    agreement = bought_node.agreement
    assert agreement is not None
    assert (agreement.contract_name, agreement.seller_fleet) == ("paid dataset", "sellers")
    assert agreement.purpose == "training"
    assert lineage.concerns() == ()
    assert lineage_of(experiences, kept, facts).downstream[kept] == (model,)

    # Consent goes: the lineage says so, and once it is erased and confirmed, that too.
    _withdraw(market, offer)
    (concern,) = lineage_of(experiences, model, facts).concerns()
    assert (concern.kind, concern.record_id) == (ConcernKind.BOUGHT_CONSENT_WITHDRAWN, kept)
    erase(experiences, [kept], "consent was withdrawn")
    key = read_key(bought.wallet.root / "key")
    market.must(key, ConfirmErasure(grant=bought.grant.grant))
    after = lineage_of(experiences, model, facts)
    assert {each.kind for each in after.concerns()} == {
        ConcernKind.ERASED,
        ConcernKind.BOUGHT_CONSENT_WITHDRAWN,
    }
    told = model_on_chain(facts, registered.model)
    assert told is not None
    (under,) = told.bought
    assert under.agreement is not None
    assert under.agreement.confirmed_height > 0
    assert not under.agreement.receipt_is_due
    assert under.origin == offer.origin

    root = learner.paths.root
    assert audit_home(AuditRequest(root, published_directory())).ok
    assert market.audit(market.homes).findings == ()
    _grant_again(market, offer)
    again = lineage_of(experiences, model, facts).concerns()
    assert [each.kind for each in again] == [ConcernKind.ERASED]


def _taken(home: HomeWriter, path: Path) -> bytes:
    path.write_bytes(path.name.encode() * 9)
    (recording,) = read_recording(path)
    return ingest(home.experiences, recording).record_id


def _consented(market: SharingMarket, offer: OfferRecord) -> bytes:
    """The fleet grants consent in somebody's name, which needs no further word."""
    account = market.seller_account
    name = consent_id(market.chain, account, market.sequence(account))
    market.must(
        market.seller,
        GrantConsent(subject=bytes(32), origin=offer.origin, record_id=[offer.record_id]),
    )
    return name


def _withdraw(market: SharingMarket, offer: OfferRecord) -> None:
    market.must(market.seller, WithdrawConsent(consent=_consented(market, offer)))


def _grant_again(market: SharingMarket, offer: OfferRecord) -> None:
    """The market of this module sells the recording again."""
    market.pass_blocks(1)
    _consented(market, offer)


def test_offers_of_before_are_good_again(market: SharingMarket) -> None:
    offered: Offered = market.offered()
    assert market.granted(market.member(robot_id=902), offered).grant.price > 0
