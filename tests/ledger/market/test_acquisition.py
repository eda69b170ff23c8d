"""A recording is bought from wish to home, and everything that was not spent is back."""

from __future__ import annotations

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Acquisition as AcquisitionEntry
from ledger.experience.kinds import CommitmentKind, Experience
from ledger.home import open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Kept, Stage
from ledger.market.buying import acquire
from ledger.market.tools import Progress
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
