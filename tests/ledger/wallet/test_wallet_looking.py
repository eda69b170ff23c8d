"""Looking at what was earned, while the paid end is open, is written to, or is gone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ledger.errors import CorruptStoreError
from ledger.wallet.channel_file import Durability, Stage
from ledger.wallet.looking import look_at_payee
from tests.ledger.wallet.channel_ends import Ends


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(tmp_path)


def test_what_is_earned_is_seen_at_once(ends: Ends, tmp_path: Path) -> None:
    root = tmp_path / "bob"
    for durability in (Durability.WRITTEN, Durability.SYNCED, Durability.WRITTEN):
        earned = ends.open_payee.earned
        ends.open_payee.accept(ends.open_payer.pay(10), 1, durability)
        row = look_at_payee(root, ends.channel)
        assert row is not None
        assert (row.earned, row.stage) == (earned + 10, Stage.OPEN)
    ends.payee = ends.open_payee.close()
    row = look_at_payee(root, ends.channel)
    assert row is not None and row.stage is Stage.CLOSING
    assert look_at_payee(root, bytes(32)) is None
    assert look_at_payee(tmp_path / "nowhere", ends.channel) is None


def test_a_damaged_file_is_said_to_be(ends: Ends, tmp_path: Path) -> None:
    path = tmp_path / "bob" / "channels" / f"{ends.channel.hex()}.payee"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptStoreError):
        look_at_payee(tmp_path / "bob", ends.channel)


def test_it_is_never_in_the_way(ends: Ends, tmp_path: Path) -> None:
    """Files are replaced and journals begun anew under the eyes of who looks."""
    ended, seen = threading.Event(), [0]

    def look() -> None:
        while not ended.is_set():
            row = look_at_payee(tmp_path / "bob", ends.channel)
            assert row is not None
            assert row.earned >= seen[-1]
            seen.append(row.earned)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        for turn in range(60):
            kept = Durability.SYNCED if turn % 7 == 6 else Durability.WRITTEN
            ends.open_payee.accept(ends.open_payer.pay(1), 1, kept)
    finally:
        ended.set()
        watching.join()
    row = look_at_payee(tmp_path / "bob", ends.channel)
    assert row is not None and row.earned == 60
    assert seen == sorted(seen)
