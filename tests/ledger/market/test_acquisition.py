"""A recording is bought from wish to home, and everything that was not spent is back."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest

from ledger.chain.sponsorship import pool_account
from ledger.ed25519 import PrivateKey
from ledger.exchange.grant import Grant
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Acquisition as AcquisitionEntry
from ledger.experience.kinds import CommitmentKind, Experience
from ledger.home import open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Kept, Requested, Stage
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.delivery import kept_deed
from ledger.market.paying import links_for
from ledger.market.refusal import GrantRefusedError
from ledger.market.tools import Progress
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_sharing_pb2 import Royalty
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import BuyersWorld, at_home


def test_a_recording_is_bought_and_kept(world: BuyersWorld) -> None:
    offered, pool = world.offered(), world.pool
    home, budget = world.home("buyers.example/kea"), world.budget(total=1_000)
    tools = world.tools(world.member_file(1), home=at_home(home), budget=budget)
    heard: list[Progress] = []
    with world.begin(offered.offer) as acquisition:
        end = acquire(acquisition, tools, heard.append)
        assert acquire(acquisition, tools) == end
    assert isinstance(end, Kept)
    grant = end.grant
    assert end.spent == grant.price + 2 * FEE
    assert world.pool == pool - end.spent - FEE  # of the request; the authority pays its own
    standing = budget.standing()
    assert (standing.used(), dict(standing.reserved)) == (end.spent, {})

    stages = [each.stage for each in heard]
    assert stages == sorted(stages)
    assert set(stages) == set(Stage) - {
        Stage.WISHED,
        Stage.REFUSED,
        Stage.ABANDONING,
        Stage.ABANDONED,
        Stage.SWAPPING,
    }
    streamed = [each for each in heard if each.stage is Stage.STREAMING and each.kept]
    assert [each.kept for each in streamed] == list(range(1, grant.count + 1))
    assert streamed[-1].kept_bytes == streamed[-1].bytes == grant.content_size
    assert all(each.paid <= grant.price_of(each.kept) for each in streamed)

    with open_home(home) as found:
        record = found.experiences.record(end.record_id)
        acquired = parse_entry(found.log.entry(end.index + 1)).kind
        openings = found.experiences.keys.get(end.record_id).openings
    sold = parse_entry(world.husky.home.log.entry(world.husky.recorded.index)).kind
    assert isinstance(sold, Experience)
    assert record.experience.files == sold.files
    assert record.experience.topics == sold.topics
    assert record.experience.content_root != sold.content_root
    assert isinstance(acquired, AcquisitionEntry)
    assert acquired.record_id == end.record_id
    assert (acquired.grant, acquired.contract) == (grant.grant, offered.contract)
    assert acquired.content_root == sold.content_root
    assert acquired.seller == world.husky.origin
    # The hidden reward came along, and is hidden in this log too.
    reward = [each for each in openings if each.kind is CommitmentKind.REWARD]
    kept = world.husky.home.experiences.keys.get(world.husky.recorded.record_id).openings
    assert [each.value for each in reward] == [
        each.value for each in kept if each.kind is CommitmentKind.REWARD
    ]
    assert {each.point for each in record.experience.commitments}.isdisjoint(
        each.point for each in sold.commitments
    )
    with Acquisition.open(acquisition.folder) as again:
        assert again.state == end


def test_what_is_free_needs_no_money(world: BuyersWorld) -> None:
    offered, pool = world.offered_free(), world.pool
    tools = world.tools(world.member_file(2), budget=world.budget(total=0))
    with world.begin(offered.offer) as acquisition:
        end = acquire(acquisition, tools)
        deed = kept_deed(acquisition.folder)
        files = [acquisition.files / name for name, _ in deed.files]
    assert (end.spent, end.channel, end.grant.price) == (0, b"", 0)
    assert world.pool == pool - FEE
    assert b"".join(path.read_bytes() for path in files) == world.husky.content
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_what_takes_too_many_links_is_paid_by_vouchers(world: BuyersWorld) -> None:
    world.must(world.authority, Transfer(recipient=pool_account(world.buyers), amount=200_000))
    offered, pool = world.offered(record_price=70_000), world.pool
    with world.begin(offered.offer) as acquisition:
        end = acquire(acquisition, world.tools(world.member_file(3)))
    record = world.channel(end.channel)
    assert record is not None
    assert record.HasField("voucher")
    assert end.spent == 70_003 + 2 * FEE
    assert world.pool == pool - end.spent - FEE
    assert world.earned(end.grant) == 70_003


@pytest.mark.parametrize(
    ("chunk", "record", "links"),
    [(1, 50, (1, 53)), (10, 0, (10, 3)), (0, 50, (1, 50)), (6, 3, (7, 3)), (1, 70_000, None)],
)
def test_links_pay_whole_units(chunk: int, record: int, links: tuple[int, int] | None) -> None:
    names = [bytes([each]) * 32 for each in range(5)]
    grant = Grant(*names, 600_000, 0, chunk, record, 10)
    offer = links_for(grant)
    assert (None if offer is None else (offer.unit, offer.count)) == links


def test_the_channel_pays_the_royalties_of_its_grant(world: BuyersWorld) -> None:
    artist = bytes(PrivateKey.generate().public_key)
    offered = world.offered(record_price=97, royalties=[Royalty(account=artist, parts=2_500)])
    with world.begin(offered.offer) as acquisition:
        end = acquire(acquisition, world.tools(world.member_file(4)))
    record = world.channel(end.channel)
    assert record is not None
    assert (record.grant, len(record.royalties)) == (end.grant.grant, 1)
    earned = world.balance(world.seller_account)
    world.close_sale(end.grant)
    assert world.balance(artist) == 25
    assert world.balance(world.seller_account) == earned + 75 - FEE


def test_what_was_bought_can_be_kept_sealed(world: BuyersWorld) -> None:
    home = world.home("buyers.example/kaka")
    tools = world.tools(world.member_file(5), home=at_home(home), seal=True)
    with world.begin(world.offered().offer) as acquisition:
        end = acquire(acquisition, tools)
    assert isinstance(end, Kept)
    with open_home(home) as found:
        assert found.experiences.tables.state(end.record_id).sealed


def test_nothing_secret_is_said(
    world: BuyersWorld, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Not in logs, not by `repr`, not in errors: neither keys nor what could present them."""
    caplog.set_level(logging.DEBUG)
    member, said = world.member_file(6), [""]
    home = world.home("buyers.example/weka")
    tools = world.tools(member, home=at_home(home), budget=world.budget(total=1_000))
    acquisition = world.begin(world.offered().offer)

    def told(progress: Progress) -> None:
        said.append(f"{progress!r} {acquisition!r} {acquisition.state!r} {tools!r}")

    request = b""
    with acquisition:
        with pytest.raises(AcquisitionCancelledError) as stop:
            acquire(acquisition, tools, told, lambda: isinstance(acquisition.state, Requested))
        assert isinstance(acquisition.state, Requested)
        request = acquisition.state.request
        end = acquire(acquisition, tools, told)
    assert isinstance(end, Kept)
    again = world.begin(end.record.offer, use=99)
    with again, pytest.raises(GrantRefusedError) as refusal:
        acquire(again, tools, told)
    said += [repr(stop.value), str(refusal.value), repr(refusal.value), caplog.text, repr(end)]
    said.append(world.funding.__repr__())

    wallet = acquisition.folder / "wallet"
    pem = (wallet / "key").read_text().splitlines()[1]
    credential = member.credential()
    secrets = [
        base64.b64decode(pem)[-32:],
        credential.to_bytes(),
        credential.to_bytes()[-32:],
        world.body(request).request_grant.presentation,
        (world.root / "buyers" / "key").read_bytes(),
        *(path.read_bytes()[-64:-32] for path in (wallet / "channels").glob("*.payer")),
    ]
    whole = "\n".join(said)
    assert len(secrets) == 6
    for secret in secrets:
        for form in (secret.hex(), repr(secret)[2:-1], base64.b64encode(secret).decode()):
            assert form not in whole
    assert pem not in whole
    # What is public is there, so that this looked at something.
    assert end.grant.grant.hex() in whole or repr(end.grant.grant) in whole
