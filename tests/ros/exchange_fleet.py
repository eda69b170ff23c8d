"""A fleet whose file has an exchange, on the chain of an `ExchangeWorld`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ledger.chain.fleets import fleet_id
from ledger.chain.sponsorship import pool_account
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Acquisition
from ledger.experience.restore import restore
from ledger.home import open_home
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.wallet.wallet import Wallet
from tests.ros.exchange_world import ExchangeWorld

KEPT: Final = 1
"""The outcome of a goal whose content is in the robot's memory."""


def write_fleet(world: ExchangeWorld, file: Path) -> Path:
    """A fleet of two robots on the sellers' chain, of which r1 buys; its pool has money.

    What is made for it is beside the file, in a folder of its name.
    """
    directory = file.with_suffix("")
    directory.mkdir()
    authority = Wallet.create(directory / "wallets" / "authority").account
    world.must(world.seller, Transfer(recipient=authority, amount=100_000))
    file.write_text(
        f"""\
fleet: example.com/yard
directory: {directory}
domain_id: {world.ros.domain}
discovery: localhost
engine: {{settlement: {world.socket}, trust: {world.trust_file}, fleet: yard}}
exchange:
  domain_id: {world.market.domain}
  level: 3
  spend: {{purchase: 100}}
quorum: none
topics: [/nothing]
robots:
  - name: r1
  - name: r2
    exchange: false
"""
    )
    said = json.loads(world.ros.run("quipu", "fleet", "init", file, "--json"))
    assert said["settlement"]["enrolled"] == ["r1"]
    world.must(world.seller, Transfer(recipient=pool_of(world), amount=100_000))
    return file


def pool_of(world: ExchangeWorld) -> bytes:
    """The account of the fleet's pool."""
    return pool_account(fleet_id(world.chain, "yard"))


def check_kept(home: Path, result: dict[str, Any], world: ExchangeWorld) -> Acquisition:
    """The only acquisition in a home's log: it is what a goal's result says, byte for byte."""
    with open_home(home) as reader:
        entries = [parse_entry(reader.log.entry(at)).kind for at in range(reader.log.size)]
        (acquired,) = (each for each in entries if isinstance(each, Acquisition))
        assert acquired.record_id.hex() == result["record_id"]
        assert acquired.grant.hex() == result["grant"]
        restored = restore(reader.experiences, acquired.record_id, world.root / "restored")
        whole = b"".join(path.read_bytes() for path in restored.paths)
    assert whole == world.husky.content
    return acquired
