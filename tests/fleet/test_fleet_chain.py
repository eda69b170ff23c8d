"""A fleet with a settlement chain: made once, whatever interrupts it, and anchored on."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.server import serve_chain
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.light.trust_file import read_trust
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import anchor_key, fleet_key, robot_key
from ledger.errors import LedgerError, RefusedError
from ledger.fleet import chain_preparation
from ledger.fleet.chain_preparation import POOL, ChainPrepared, prepare_chain
from ledger.fleet.chain_work import ChainWork
from ledger.fleet.config import read_fleet
from ledger.fleet.model import Fleet
from ledger.fleet.plan import plan_fleet
from ledger.fleet.preparation import prepare_fleet
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_identity_pb2 import FleetRecord, RobotRecord
from ledger.wallet.wallet import Wallet
from tests.fleet.yard import Yard, runs, until, without_ros

QUICK = EngineSettings(block_period_s=0.0, signature_processes=0)


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


def prepare(fleet: Fleet) -> ChainPrepared:
    prepared = prepare_chain(fleet, prepare_fleet(fleet, plan_fleet(fleet)))
    assert prepared is not None
    return prepared


@contextmanager
def looking(fleet: Fleet) -> Iterator[ChainWork]:
    with EmbeddedEngine.open(fleet.paths.chain, QUICK) as engine:
        yield ChainWork(engine, read_trust(fleet.settlement.trust))


def height(fleet: Fleet) -> int:
    with EmbeddedEngine.open(fleet.paths.chain, QUICK) as engine:
        return engine.info().height


def own(folder: Path, **how: str) -> Fleet:
    more = how.pop("more", "engine: embedded\n")
    return read_fleet(Yard(folder, more=more).file)


def test_a_chain_of_its_own_is_made_once(tmp_path: Path) -> None:
    fleet = own(tmp_path)
    first = prepare(fleet)
    assert first.registered == ("r1", "r2", "r3")
    with looking(fleet) as work:
        record = work.read(FleetRecord, fleet_key(first.fleet))
        assert record is not None
        assert (record.name, record.authority) == ("example.com/yard", first.authority)
        assert b"quorum fleet-quorum" in record.witness_policy
        assert b"log " not in record.witness_policy
        assert work.money(pool_account(first.fleet)) == POOL
        for robot in fleet.robots:
            known = work.read(RobotRecord, robot_key(robot.origin))
            assert known is not None
            assert known.fleet == first.fleet
    at = height(fleet)
    again = prepare(fleet)
    assert (again.registered, again.chain) == ((), first.chain)
    assert height(fleet) == at  # nothing was left to do
    for wallet in (fleet.paths.authority, fleet.paths.chain / "keys/governor"):
        assert stat.S_IMODE(wallet.stat().st_mode) == 0o700
        assert stat.S_IMODE((wallet / "key").stat().st_mode) == 0o600


def test_it_goes_on_wherever_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet, done = own(tmp_path), 0
    real = ChainWork.carry_out

    class InterruptedHereError(Exception):
        pass

    def carry_out(work: ChainWork, *arguments: object) -> None:
        nonlocal done
        if done:
            raise InterruptedHereError
        done += 1
        real(work, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ChainWork, "carry_out", carry_out)
    rounds = 0
    while True:
        try:
            prepared, done = prepare(fleet), 0
            break
        except InterruptedHereError:
            rounds, done = rounds + 1, 0
    # Money for the authority, the fleet, the pool, sponsorship, policy, three robots.
    assert rounds == 7
    assert prepared.registered == ("r3",)
    with looking(fleet) as work:
        assert work.money(pool_account(prepared.fleet)) == POOL


def test_what_the_file_says_anew_is_done_and_nothing_else(tmp_path: Path) -> None:
    fleet = own(tmp_path)
    first = prepare(fleet)
    yard = Yard(tmp_path, robots=("r1", "r2", "r3", "r4"), more="engine: embedded\nquorum: none\n")
    more = read_fleet(yard.file)
    assert prepare(more).registered == ("r4",)
    with looking(more) as work:
        record = work.read(FleetRecord, fleet_key(first.fleet))
        assert record is not None
        assert record.witness_policy == b""


def test_a_fleet_on_a_chain_of_others_pays_for_itself(tmp_path: Path) -> None:
    host = own(tmp_path)
    prepare(host)
    other = tmp_path / "other"
    other.mkdir()
    socket = host.paths.chain_socket
    section = f"engine: {{settlement: {socket}, trust: {host.settlement.trust}, fleet: guests}}\n"
    yard = Yard(other, robots=("g1",), more=section)
    yard.file.write_text(yard.file.read_text().replace("example.com/yard", "example.com/guests"))
    guests = read_fleet(yard.file)
    with pytest.raises(LedgerError, match="no engine serves a chain"):
        prepare(guests)
    with serve_chain(host.paths.chain, QUICK) as engine:
        with pytest.raises(RefusedError, match="has no money on the chain"):
            prepare(guests)
        work = ChainWork(engine, read_trust(host.settlement.trust))
        governor = Wallet.open(host.paths.chain / "keys/governor")
        account = Wallet.open(guests.paths.authority).account
        from ledger.schema.chain_payment_pb2 import Transfer

        work.carry_out(governor, Transfer(recipient=account, amount=1_000))
        prepared = prepare(guests)
        assert prepared.registered == ("g1",)
        record = work.read(FleetRecord, fleet_key(prepared.fleet))
        assert record is not None
        fee = work.parameters.min_fee
        assert (record.sponsored_amount, record.sponsored_period) == (1_000 * fee, 1_000)
        # The pool pays for its robots, and that is for somebody else to fill.
        (remark,) = prepared.remarks
        assert "pool has no money" in remark
        assert "quipu wallet pay pool:guests" in remark
        pool, at = pool_account(prepared.fleet), engine.info().height
        work.carry_out(governor, Transfer(recipient=pool, amount=fee))
        assert prepare(guests).remarks == ()
        assert engine.info().height == at + 1  # nothing else was left to do
        # Nobody else's fleet can be taken by naming it.
        yard.file.write_text(yard.file.read_text().replace("guests}", "example.com/yard}"))
        with pytest.raises(RefusedError, match="another authority's"):
            prepare(read_fleet(yard.file))


def test_a_robot_of_another_fleet_is_refused(tmp_path: Path) -> None:
    prepare(own(tmp_path))
    renamed = own(tmp_path, more="engine: {settlement: embedded, fleet: another}\n")
    with pytest.raises(RefusedError, match="registered on the chain in another fleet"):
        prepare(renamed)


def test_a_policy_that_no_chain_takes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_preparation, "MAX_POLICY", 100)
    with pytest.raises(RefusedError, match="too long for a chain"):
        prepare(own(tmp_path))


def test_robots_that_quipu_fleet_up_starts_anchor_by_themselves(tmp_path: Path) -> None:
    yard = without_ros(tmp_path, robots=("r1", "r2"), more="engine: embedded\nquorum: none\n")
    try:
        ready = yard.told("fleet", "init", yard.file)
        assert ready["settlement"]["registered"] == ["r1", "r2"]
        assert "settlement" in [process["name"] for process in ready["processes"]]
        up = yard.told("fleet", "up", yard.file, "--detach")
        assert set(up["processes"]) == {"settlement", "r1", "r2"}

        def anchored() -> dict[str, int]:
            return {name: row["anchored_size"] or 0 for name, row in yard.watch().items()}

        until(lambda: all(size >= 3 for size in anchored().values()), "anchors")
        before, pids = anchored(), yard.pids()
        said = yard.run("fleet", "status", yard.file).out
        assert "anchored" in said
        assert "chain: example.com/yard/settlement, block" in said
        # While it runs, it is made ready through its own engine.
        assert yard.told("fleet", "init", yard.file)["settlement"]["registered"] == []
        down = yard.told("fleet", "down", yard.file)
        assert set(down["ended"].values()) == {"interrupted"}
        assert not any(runs(pid) for pid in pids.values())
        yard.told("fleet", "up", yard.file, "--detach")
        until(lambda: all(anchored()[name] > before[name] for name in before), "newer anchors")
    finally:
        yard.run("fleet", "down", yard.file, "--patience", "5")
    fleet = read_fleet(yard.file)
    with looking(fleet) as work:
        for robot in fleet.robots:
            record = work.read(AnchorRecord, anchor_key(robot.origin))
            assert record is not None
            assert record.size >= before[robot.name]
    row = yard.watch()["r1"]  # also of robots that do not run
    assert row["anchored_size"] > before["r1"]
    robots = [word for name in ("r1", "r2") for word in ("--robot", yard.home(name))]
    report = yard.told("audit", "--chain", fleet.paths.chain, *robots)
    assert report["ok"] is True, report
