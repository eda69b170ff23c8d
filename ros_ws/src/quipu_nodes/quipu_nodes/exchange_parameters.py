"""What the nodes of the exchange may be told: every parameter, its meaning, its range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rclpy.parameter import Parameter

from ledger.market.challenge import CHALLENGE_BLOCKS
from ledger.market.funding_limits import PERIOD_BLOCKS
from quipu_nodes.parameters import Declared

_MOST_AMOUNT: Final = 2**63 - 1
"""That a parameter of ROS can say."""
_TEXTS: Final = Parameter.Type.STRING_ARRAY

_CHAIN: Final[Mapping[str, Declared]] = {
    "chain.trust": Declared("", "file that names the settlement chain and its keys"),
    "chain.socket": Declared("", "socket of the chain's engine, on this machine"),
}

_MARKET: Final[Mapping[str, Declared]] = {
    "market.domain_id": Declared(
        -1, "ROS_DOMAIN_ID on which fleets trade; -1: that of the process", -1, 232
    ),
}

STOREFRONT: Final[Mapping[str, Declared]] = {
    **_CHAIN,
    **_MARKET,
    "fleet": Declared(
        "", "what the fleet is called on the chain, whose pool pays its robots' fees; empty: none"
    ),
    "wallets": Declared(_TEXTS, "wallets of those who offer, the fleet's authority say"),
    "homes": Declared(_TEXTS, "memories of the robots whose recordings are offered"),
    "sales": Declared("", "folder that keeps what was sold to whom for how much"),
    "market.least_challenge": Declared(
        0,
        "blocks for which the close of a channel that pays can be answered, at the least, and not"
        f" below what the chain asks for; 0: the usual, {CHALLENGE_BLOCKS} or that",
        0,
        10_000_000,
    ),
}

GATEWAY: Final[Mapping[str, Declared]] = {
    **_CHAIN,
    **_MARKET,
    "fleet": Declared("", "what the fleet is called on the chain, whose pool pays"),
    "authority": Declared("", "wallet that speaks for the fleet"),
    "paid": Declared("", "folder that keeps which grants were paid for"),
    "market.purchases": Declared(
        8, "purchases at a time, each a DDS participant of its own", 1, 24
    ),
    "market.most_price": Declared(
        0,
        "what the pool pays for one grant at most, in smallest units of its asset; 0: no limit",
        0,
        _MOST_AMOUNT,
    ),
    "market.most_per_period": Declared(
        0,
        "what leaves the pool for grants in market.period blocks at most, of each asset, in its"
        " smallest units; 0: no limit",
        0,
        _MOST_AMOUNT,
    ),
    "market.period": Declared(
        PERIOD_BLOCKS, "blocks that market.most_per_period is for", 1, 1_000_000_000
    ),
    "market.idle_s": Declared(
        30.0, "a purchase that asks for nothing so long loses its participant, in s", 1.0, 3600.0
    ),
    "market.answer_s": Declared(
        5.0, "how long a storefront may take to be found and to answer, in s", 0.1, 600.0
    ),
}

EXCHANGE: Final[Mapping[str, Declared]] = {
    **_CHAIN,
    "gateway": Declared("/gateway", "full name of the fleet's gateway node"),
    "member": Declared("", "file of the robot's credential"),
    "gaps": Declared("", "file of the fleet's newest revocation gaps; empty: MEMBER.gaps"),
    "purchases": Declared("", "folder of acquisitions, one folder each"),
    "home": Declared("", "the robot's memory, for a node in a process of its own"),
    "seal": Declared(False, "keep what is bought encrypted in the robot's memory"),
    "patience_s": Declared(
        60.0, "how long a request is sent again that brings no reply, in s", 0.0, 86_400.0
    ),
}
