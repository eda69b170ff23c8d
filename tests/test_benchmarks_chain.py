"""The chain's benchmark runs, small, and says what its table asks for. Times are not judged."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import chain, chain_anchors, chain_channel, chain_light, chain_replay, chain_state

PROMISED = {
    "transfer_tx_vs_ed25519": (0.4, None),
    "transfer_socket_vs_library": (0.5, None),
    "payword_per_s": (500_000, None),
    "voucher_vs_ed25519": (0.8, None),
    "state_proof_bytes": (None, 1_000),
    "state_proof_per_s": (10_000, None),
    "tx_cost_growth": (None, 2.5),
    "robots_10k_core_share": (None, 0.5),
    "light_client_ms": (None, 2),
    "replay_vs_live": (1.0, None),
}
REPORTED = {"transfer_tx_per_s", "transfer_socket_tx_per_s", "anchor_tx_per_s"}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIPU_PUBLISHED", str(folder / "published"))
        patch.setattr(chain, "TRANSFERS", 40)
        patch.setattr(chain, "FEW_ACCOUNTS", 20)
        patch.setattr(chain, "ROBOTS", 30)
        patch.setattr(chain_anchors, "ANCHORED_AT", 500)
        patch.setattr(chain_light, "ANSWERS", 10)
        patch.setattr(chain_channel, "VOUCHERS", 10)
        patch.setattr(chain_channel, "LINKS", 100)
        patch.setattr(chain_replay, "TRANSFERS", 40)
        patch.setattr(chain_replay, "ACCOUNTS", 20)
        patch.setattr(chain_state, "TRANSFERS", 20)
        patch.setattr(chain_state, "FEW_ACCOUNTS", 20)
        try:
            yield chain.run(folder, 60, 1)
        finally:
            gc.unfreeze()


def test_bounds_are_those_promised() -> None:
    bounds = {
        field.name: (field.at_least, field.at_most)
        for field in chain.FIELDS
        if field.at_least is not None or field.at_most is not None
    }
    assert bounds == PROMISED


def test_every_field_is_a_positive_number(result: dict[str, Any]) -> None:
    fields = {field.name for field in chain.FIELDS}
    assert fields == PROMISED.keys() | REPORTED
    for name in fields:
        assert math.isfinite(result[name]) and result[name] > 0, name
    assert result["bounds"].keys() == PROMISED.keys()
    json.dumps(result)


def test_figures_come_from_the_turns_of_both_sides(result: dict[str, Any]) -> None:
    turns = result["turns"]
    assert result["transfer_tx_vs_ed25519"] == pytest.approx(
        turns["library"]["bare_s"][0] / turns["library"]["engine_s"][0]
    )
    assert result["transfer_socket_tx_per_s"] == pytest.approx(40 / turns["socket"]["engine_s"][0])
    assert 300 < result["state_proof_bytes"] < 1_000
    assert result["figures"]["receipt_bytes"] > 500
