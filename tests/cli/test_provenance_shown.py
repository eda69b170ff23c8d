"""Purchases and trainings, as ``quipu`` tells them."""

from __future__ import annotations

import re

import pytest

from ledger.experience.provenance import record_acquisition, record_training
from ledger.home import open_home_to_write
from tests.cli.robot import Robot
from tests.ledger.experience.test_provenance import BOUGHT, own


@pytest.fixture
def trained(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> Robot:
    """A recording that was bought, and a model that was trained on it."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(robot.published))
    for name in ("run.bin", "policy.npz"):
        (robot.work / name).write_text(name)
        robot.did("ingest", name)
    with open_home_to_write(robot.home) as home:
        bought, model = (entry["record_id"] for entry in robot.told("log")["entries"])
        record_acquisition(home.experiences, own(bytes.fromhex(bought)))
        record_training(home.experiences, bytes.fromhex(model), "grasp", [bytes.fromhex(bought)])
    return robot


def test_they_are_listed(trained: Robot) -> None:
    told = trained.did("log")
    assert re.search(r"\n +2 .*acquisition: [0-9a-f]{8} from seller\.example/log", told)
    assert re.search(r"\n +3 .*training: grasp, trained on 1 record\(s\)", told)


def test_every_field_is_shown(trained: Robot) -> None:
    shown = trained.did("show", "2")
    for value in (BOUGHT.chain, BOUGHT.grant, BOUGHT.offer, BOUGHT.contract, BOUGHT.leaf):
        assert value.hex() in shown
    assert "version 1" in shown
    first, second, acquisition, training = trained.told("log")["entries"]
    assert trained.told("show", "2") == {"ok": True, **acquisition}
    assert acquisition["kind"] == "acquisition"
    assert acquisition["record_id"] == first["record_id"]
    assert acquisition["content_root"] == BOUGHT.content_root.hex()
    assert acquisition["seller"] == BOUGHT.seller
    assert acquisition["version"] == 1
    assert training["kind"] == "training"
    assert training["record_id"] == second["record_id"]
    assert training["inputs"] == [first["record_id"]]
    assert first["record_id"] in trained.did("show", "3")


def test_a_lineage_is_not_wrapped_where_a_program_reads_it(trained: Robot) -> None:
    trained.extra["COLUMNS"] = "40"
    drawn = trained.did("lineage", "1").splitlines()
    grant, contract = BOUGHT.grant.hex()[:8], BOUGHT.contract.hex()[:8]
    line = f"under contract {contract} version 1, grant {grant}"
    assert any(each.endswith(line) for each in drawn), drawn


def test_they_are_proved_and_verified_like_any_entry(trained: Robot) -> None:
    trained.did("checkpoint")
    trained.did("prove", "3", "-o", "training.tlog-proof")
    key = trained.did("key", "show").strip()
    told = trained.told("verify", "training.tlog-proof", "--key", key)
    assert told["entry"]["kind"] == "training"
    assert trained.told("audit")["ok"]
