"""A stream in either mode of payment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.wallet.payer import PayWordOffer
from tests.ledger.exchange.stream_world import StreamWorld


@pytest.fixture(params=["vouchers", "links"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StreamWorld]:
    offer = PayWordOffer(unit=5, count=100) if request.param == "links" else None
    made = StreamWorld(tmp_path, offer)
    yield made
    made.close()
