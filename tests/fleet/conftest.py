"""A market for the tests that share data between fleets, audited once they are done; domains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fleet.sharing_market import SharingMarket
from tests.ros.ros_process import own_domain


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharingMarket]:
    """Two fleets, their chain at work, and a recording to sell. Whatever is done with them,
    an audit finds nothing afterwards."""
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SharingMarket(root, held)
        yield made
        report = made.audit(made.homes)
        assert report.findings == ()


@pytest.fixture
def domain() -> Iterator[int]:
    """A ROS_DOMAIN_ID for this test alone."""
    with own_domain() as own:
        yield own
