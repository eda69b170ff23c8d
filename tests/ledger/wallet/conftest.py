"""A channel of either mode, open on a chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.wallet.channel_ends import LINKS, Ends


@pytest.fixture(params=["vouchers", "links"])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Ends:
    return Ends(tmp_path, LINKS if request.param == "links" else None)
