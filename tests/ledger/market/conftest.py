"""A market of two fleets for the tests of the buying side; see `tests.fleet.sharing_market`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.ledger.market.buyers_world import BuyersWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersWorld]:
    """Two fleets, their chain at work, a recording to sell, and an audit at the end."""
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = BuyersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()
