"""A fleet file's ``exchange:``: what it means, what is started, and what is made for it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.light.trust_file import read_trust
from ledger.chain.state_keys import fleet_key
from ledger.credentials.issuer_home import IssuerHome, read_gaps
from ledger.credentials.member_file import MemberFile, gap_of
from ledger.errors import MalformedError, RefusedError
from ledger.fleet.chain_preparation import ChainPrepared, prepare_chain
from ledger.fleet.chain_work import ChainWork
from ledger.fleet.config import read_fleet
from ledger.fleet.model import Fleet
from ledger.fleet.plan import Rank, plan_fleet, robot_parameters
from ledger.fleet.preparation import prepare_fleet
from ledger.market.shelf import Shelf
from ledger.schema.chain_identity_pb2 import FleetRecord

QUICK = EngineSettings(block_period_s=0.0, signature_processes=0)


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


def written(folder: Path, *lines: str, engine: str = "embedded", r1: str = "") -> Path:
    file = folder / "fleet.yaml"
    file.write_text(
        "\n".join(
            [
                "fleet: example.com/yard",
                f"directory: {folder / 'made'}",
                f"engine: {engine}",
                *lines,
                "quorum: none",
                "robots:",
                "  - name: r1",
                *([f"    exchange: {r1}"] if r1 else []),
                "  - name: r2",
                "    exchange: false" if lines else "",
            ]
        )
    )
    return file


def fleet_of(folder: Path, *lines: str, engine: str = "embedded", r1: str = "") -> Fleet:
    return read_fleet(written(folder, *lines, engine=engine, r1=r1))


def prepare(fleet: Fleet) -> ChainPrepared:
    prepared = prepare_chain(fleet, prepare_fleet(fleet, plan_fleet(fleet)))
    assert prepared is not None
    return prepared


def test_true_is_a_fleet_that_sells_and_buys(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, "exchange: true")
    exchange, paths = fleet.exchange, fleet.paths
    assert exchange is not None
    assert (exchange.sell, exchange.buy, exchange.issue) == (True, True, True)
    assert (exchange.wallet, exchange.issuer) == (paths.authority, paths.issuer)
    assert (exchange.domain_id, exchange.level, exchange.role) == (None, 1, "robot")
    first, second = fleet.robots
    assert first.member is not None
    assert (first.member.file, first.member.issued) == (paths.member("r1"), True)
    assert second.member is None


def test_each_key_is_read(tmp_path: Path) -> None:
    fleet = fleet_of(
        tmp_path,
        "exchange:",
        "  domain_id: 60",
        "  sell: false",
        "  wallet: seller",
        "  issuer: made-elsewhere",
        "  level: 2",
        "  role: courier",
        "  spend: {total: 5000, purchase: 500, purposes: {training: 100}}",
        "  parameters: {gateway: {market: {idle_s: 60.0, most_price: 9}}}",
        r1="{level: 3}",
    )
    exchange, member = fleet.exchange, fleet.robots[0].member
    assert exchange is not None
    assert member is not None
    assert (exchange.domain_id, exchange.sell) == (60, False)
    assert (exchange.wallet, exchange.issuer) == (tmp_path / "seller", tmp_path / "made-elsewhere")
    assert (member.level, member.role) == (3, "courier")
    assert exchange.spending is not None
    assert exchange.spending.purposes == {"training": 100}
    plan = plan_fleet(fleet)
    text = plan.files[fleet.paths.parameters("market")]
    assert '"market.idle_s": 60.0' in text
    assert '"market.most_price": 9' in text
    assert "storefront" not in text


@pytest.mark.parametrize(
    ("lines", "engine", "r1", "said"),
    [
        (["exchange: true"], "none", "", "4: exchange needs a chain"),
        (["exchange: true"], "{settlement: ros, trust: t}", "", "needs the socket"),
        (["exchange: {sells: true}"], "embedded", "", "unknown key 'sells'"),
        (["exchange: {level: -1}"], "embedded", "", "exchange.level must be from 0"),
        (["exchange: {role: " + "x" * 64 + "}"], "embedded", "", "too long"),
        (["exchange: {spend: {totals: 1}}"], "embedded", "", "unknown key 'totals'"),
        (
            ["exchange: {issue: true}"],
            "{settlement: ./s.sock, trust: t, register: false}",
            "",
            "cannot be: whoever registers",
        ),
        (
            ["exchange: true"],
            "{settlement: ./s.sock, trust: t, register: false}",
            "{level: 2}",
            "has no credential",
        ),
        (["exchange: true"], "embedded", "{member: m, level: 2}", "says level and role itself"),
        ([], "embedded", "{level: 2}", "the fleet has no exchange"),
        (
            ["exchange: {parameters: {gateway: {authority: w}}}"],
            "embedded",
            "",
            "sets 'authority'",
        ),
        (["exchange: {parameters: {witness: {}}}"], "embedded", "", "unknown key 'witness'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], engine: str, r1: str, said: str
) -> None:
    with pytest.raises(MalformedError, match=re.escape(said)) as caught:
        fleet_of(tmp_path, *lines, engine=engine, r1=r1)
    assert re.search(r"fleet\.yaml:\d+: ", str(caught.value))


def test_one_process_sells_and_buys_and_robots_that_buy_have_an_exchange_node(
    tmp_path: Path,
) -> None:
    fleet = fleet_of(tmp_path, "exchange: {domain_id: 60}")
    plan = plan_fleet(fleet, python="python")
    market = next(each for each in plan.processes if each.name == "market")
    assert market.command[:5] == ("python", "-m", "quipu_nodes.market", "sell", "buy")
    assert Rank.ROBOT < market.rank < Rank.SETTLEMENT
    robots = {each.name: each.command for each in plan.processes if each.rank is Rank.ROBOT}
    assert "buy" in robots["r1"]
    assert "buy" not in robots["r2"]
    # Settlement, two robots; the market's process, its storefront, and eight purchases.
    assert plan.participants == 3 + 1 + 1 + 8
    parameters = robot_parameters(fleet, fleet.robots[0])["/r1/exchange"]
    assert parameters["member"] == str(fleet.paths.member("r1"))
    assert parameters["chain.socket"] == str(fleet.paths.chain_socket)
    assert "/r2/exchange" not in robot_parameters(fleet, fleet.robots[1])
    assert '"market.domain_id": 60' in plan.files[fleet.paths.parameters("market")]
    none = plan_fleet(fleet_of(tmp_path))
    assert [each.name for each in none.processes] == ["settlement", "r1", "r2"]


def test_credentials_gaps_and_limits_are_made_once_and_renewed_when_they_change(
    tmp_path: Path,
) -> None:
    lines = "exchange: {spend: {total: 50}}"
    fleet = fleet_of(tmp_path, lines, r1="{level: 3, role: courier}")
    first = prepare(fleet)
    assert first.enrolled == ("r1",)
    file = MemberFile(fleet.paths.member("r1"))
    held = file.credential()
    assert (held.attributes.level, held.attributes.role) == (3, "courier")
    assert held.attributes.fleet == "example.com/yard"
    gap_of(held, file.gaps.read_bytes())
    shelf = Shelf(fleet.paths.purchases("r1"), first.chain)
    assert shelf.budget(0).standing().limits.total == 50
    with EmbeddedEngine.open(fleet.paths.chain, QUICK) as engine:
        record = ChainWork(engine, read_trust(fleet.settlement.trust)).read(
            FleetRecord, fleet_key(first.fleet)
        )
    assert record is not None
    assert [each.public_key for each in record.issuer_keys] == [held.issuer.to_bytes()]
    assert record.sponsored_amount
    assert record.anonymous_amount
    # Again: nothing is made, nothing is asked of the chain.
    assert prepare(fleet).enrolled == ()
    assert file.credential().to_bytes() == held.to_bytes()
    # Another level, another limit: the same member, renewed.
    changed = fleet_of(tmp_path, "exchange: {spend: {total: 70}}", r1="{level: 4, role: courier}")
    assert prepare(changed).enrolled == ("r1",)
    renewed = file.credential().attributes
    assert (renewed.level, renewed.robot_id) == (4, held.attributes.robot_id)
    assert shelf.budget(0).standing().limits.total == 70
    # Whom the issuer has revoked gets nothing more; the others' gaps are the newest.
    IssuerHome.open(fleet.paths.issuer).revoke([renewed.robot_id])
    prepare(changed)
    with pytest.raises(RefusedError):
        gap_of(file.credential(), file.gaps.read_bytes())


def epoch_of(fleet: Fleet, prepared: ChainPrepared) -> int:
    with EmbeddedEngine.open(fleet.paths.chain, QUICK) as engine:
        work = ChainWork(engine, read_trust(fleet.settlement.trust))
        record = work.read(FleetRecord, fleet_key(prepared.fleet))
    assert record is not None
    return record.revocation_epoch


def test_an_epoch_of_revocations_goes_on_the_chain_once_all_members_have_its_gaps(
    tmp_path: Path,
) -> None:
    fleet = fleet_of(tmp_path, "exchange: true")
    prepared = prepare(fleet)
    assert epoch_of(fleet, prepared) == 0
    issuer, file = IssuerHome.open(fleet.paths.issuer), MemberFile(fleet.paths.member("r1"))
    issuer.revoke([99])
    assert prepare(fleet).remarks == ()
    assert epoch_of(fleet, prepared) == 1
    assert gap_of(file.credential(), file.gaps.read_bytes(), 1).high == 99
    # A member elsewhere has to be given the gaps by somebody else, who then says so.
    away = MemberFile(tmp_path / "away")
    until = int(time.time()) + 1_000
    away.accept(issuer.answer(away.request(issuer.invite("robot", 1, until, 50))))
    issuer.revoke([98])
    (remark,) = prepare(fleet).remarks
    assert remark.endswith("quipu chain fleet revocation example.com/yard --epoch 2")
    assert epoch_of(fleet, prepared) == 1
    assert {gap.epoch for gap in read_gaps(file.gaps.read_bytes())[1]} == {1, 2}
    # Once it is revoked itself, nobody waits for it.
    issuer.revoke([50])
    assert prepare(fleet).remarks == ()
    assert epoch_of(fleet, prepared) == 3


def test_an_issuer_of_another_fleet_is_not_used(tmp_path: Path) -> None:
    IssuerHome.create(tmp_path / "issuer", "example.com/others")
    fleet = fleet_of(tmp_path, "exchange: {issuer: issuer}")
    with pytest.raises(RefusedError, match=re.escape("example.com/others, not of")):
        prepare(fleet)
