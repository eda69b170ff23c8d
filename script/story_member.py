"""A member of the couriers that goes its own way: with the library, where commands are too honest.

Whoever asks for a use it has had, or stops paying, does not do so by ``quipu buy``, which
refuses to. What is sent is what the product would send, up to the point where it goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from story import DemoError
from story_world import World

from ledger.chain.codes import ResultCode
from ledger.chain.fleets import fleet_id
from ledger.chain.proven.chain import ProvenChain
from ledger.credentials.member_file import MemberFile
from ledger.exchange.socket_client import SocketTransport
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import AcquisitionState, Granted
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.funding import PoolFunding
from ledger.market.refusal import GrantRefusedError
from ledger.market.tools import Tools
from ledger.market.wish import Wish
from ledger.wallet.wallet import Wallet


def tools_of(world: World, chain: ProvenChain, robot: str, storefront: Path) -> Tools:
    """What a robot buys with, its fleet's pool among it."""
    couriers = world.couriers
    member = MemberFile(couriers.folder / "members" / robot)
    fleet = fleet_id(chain.chain, couriers.name)
    paid = couriers.folder / "paid"
    return Tools(
        chain=chain,
        member=member,
        gaps=member.gaps.read_bytes,
        funding=PoolFunding(chain, Wallet.open(couriers.authority), fleet, paid),
        way=lambda grant: SocketTransport(storefront),
    )


def insist(world: World, robot: str, offer: str, purpose: str) -> ResultCode:
    """Ask with the first use, whatever was had of it; the chain's answer."""
    folder = world.story.folder / "insisting"
    with (
        world.proven() as chain,
        Acquisition.begin(folder, Wish(bytes.fromhex(offer), purpose, use=0)) as acquisition,
    ):
        try:
            acquire(acquisition, tools_of(world, chain, robot, Path("nowhere")))
        except GrantRefusedError as refusal:
            if not refusal.asked:
                raise DemoError("the chain was not asked") from refusal
            return refusal.code
    raise DemoError("a second use was granted")


@contextmanager
def got_as_far_as(
    world: World,
    robot: str,
    wish: Wish,
    stage: type[AcquisitionState],
    folder: Path,
    storefront: Path,
) -> Iterator[tuple[Acquisition, Tools, Granted]]:
    """A purchase that was driven up to a state, and is now in our hands."""
    with world.proven() as chain, Acquisition.begin(folder, wish) as acquisition:
        tools = tools_of(world, chain, robot, storefront)
        with suppress(AcquisitionCancelledError):
            acquire(acquisition, tools, cancelled=partial(_is_at, acquisition, stage))
        state = acquisition.state
        if type(state) is not stage or not isinstance(state, Granted):
            raise DemoError(f"the purchase is {type(state).__name__}")
        yield acquisition, tools, state


def _is_at(acquisition: Acquisition, stage: type[AcquisitionState]) -> bool:
    return type(acquisition.state) is stage
