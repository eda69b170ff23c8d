"""Record keys: kept whole, and really lost when destroyed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import KeyStoreError, MalformedError, NotFoundError
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.experience.record_keys import CommitmentOpening, RecordKeys, RecordKeyStore

OPENING = CommitmentOpening(CommitmentKind.REWARD, RewardSource.SELF, -123456, bytes(range(50, 82)))


def keys_of(record_id: bytes, *, sealed: bool = True) -> RecordKeys:
    return RecordKeys.generate(record_id, sealed=sealed, openings=(OPENING,))


@pytest.fixture
def store(tmp_path: Path) -> RecordKeyStore:
    return RecordKeyStore(tmp_path / "keys" / "records")


def ids(*lasts: int, first: int = 0) -> list[bytes]:
    return [bytes([first]) + bytes(14) + bytes([last]) for last in lasts]


def test_what_is_added_is_there_in_another_process(tmp_path: Path, store: RecordKeyStore) -> None:
    made = [keys_of(os.urandom(16), sealed=bool(n % 2)) for n in range(20)]
    store.add(made[:7])
    store.add(made[7:])
    store.add(made[3:9])
    again = RecordKeyStore(tmp_path / "keys" / "records")
    assert [again.get(keys.record_id) for keys in made] == made


def test_every_key_is_fresh() -> None:
    made = [keys_of(bytes(16)) for _ in range(50)]
    secrets = {keys.salt_key for keys in made} | {keys.content_key for keys in made}
    assert len(secrets) == 100
    assert keys_of(bytes(16), sealed=False).content_key is None


def test_a_record_has_one_set_of_keys(store: RecordKeyStore) -> None:
    (record_id,) = ids(1)
    first = keys_of(record_id)
    store.add([first])
    with pytest.raises(KeyStoreError, match="other keys already"):
        store.add([keys_of(record_id)])
    assert store.get(record_id) == first


def test_destroyed_keys_are_nowhere_and_their_neighbours_stay(
    tmp_path: Path, store: RecordKeyStore
) -> None:
    gone, stays, elsewhere = (keys_of(i) for i in (*ids(1, 2), *ids(1, first=9)))
    store.add([gone, stays, elsewhere])
    store.destroy([gone.record_id, bytes([77] * 16)])
    with pytest.raises(NotFoundError):
        store.get(gone.record_id)
    assert store.get(stays.record_id) == stays
    assert store.get(elsewhere.record_id) == elsewhere
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert gone.content_key is not None
    for secret in (gone.salt_key, gone.content_key, gone.record_id):
        assert secret not in left
    assert stays.salt_key in left
    store.destroy([gone.record_id])


def test_the_old_file_is_overwritten(tmp_path: Path, store: RecordKeyStore) -> None:
    first, second = (keys_of(i) for i in ids(1, 2))
    store.add([first])
    path = tmp_path / "keys" / "records" / "00.keys"
    changes: list[Callable[[], None]] = [
        lambda: store.add([second]),
        lambda: store.destroy([first.record_id]),
    ]
    for change in changes:
        with path.open("rb") as old:
            before = old.read()
            assert first.salt_key in before
            change()
            old.seek(0)
            assert old.read() == bytes(len(before))


def test_unfinished_files_of_a_crash_are_destroyed(tmp_path: Path, store: RecordKeyStore) -> None:
    keys = keys_of(ids(1)[0])
    store.add([keys])
    folder = tmp_path / "keys" / "records"
    stale = folder / ".00.keys.123.new"
    stale.write_bytes((folder / "00.keys").read_bytes())
    with stale.open("rb") as held:
        store.destroy([keys.record_id])
        assert keys.salt_key not in held.read()
    assert not stale.exists()


def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path, store: RecordKeyStore) -> None:
    keys = keys_of(ids(1)[0])
    store.add([keys])
    path = tmp_path / "keys" / "records" / "00.keys"
    good = path.read_bytes()
    damages = [good[:length] for length in range(len(good))]
    for position in range(len(good)):
        flipped = bytearray(good)
        flipped[position] ^= 1 << position % 8
        damages.append(bytes(flipped))
    for damaged in damages:
        path.write_bytes(damaged)
        with pytest.raises(KeyStoreError) as caught:
            store.get(keys.record_id)
        assert keys.salt_key.hex() not in str(caught.value)
    path.write_bytes(damages[-1])
    uses: list[Callable[[], None]] = [
        lambda: store.add([keys_of(ids(2)[0])]),
        lambda: store.destroy([keys.record_id]),
    ]
    for use in uses:
        with pytest.raises(KeyStoreError, match="damaged"):
            use()
    assert path.read_bytes() == damages[-1]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_modes_do_not_depend_on_the_umask(
    tmp_path: Path, store: RecordKeyStore, umask: int
) -> None:
    before = os.umask(umask)
    try:
        store.add([keys_of(ids(1)[0])])
    finally:
        os.umask(before)
    folder = tmp_path / "keys" / "records"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "00.keys").stat().st_mode) == 0o600


def test_a_file_that_others_can_read_or_a_link_is_refused(
    tmp_path: Path, store: RecordKeyStore
) -> None:
    keys = keys_of(ids(1)[0])
    store.add([keys])
    path = tmp_path / "keys" / "records" / "00.keys"
    path.chmod(0o640)
    with pytest.raises(KeyStoreError, match="read by others") as caught:
        store.get(keys.record_id)
    assert caught.value.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    moved = path.rename(tmp_path / "moved")
    path.symlink_to(moved)
    with pytest.raises(KeyStoreError):
        store.get(keys.record_id)


def test_no_secret_in_repr() -> None:
    keys = keys_of(bytes(16))
    assert keys.content_key is not None
    for shown in (repr(keys), repr(OPENING)):
        for secret in (keys.salt_key, keys.content_key, OPENING.blinding):
            assert secret.hex() not in shown
            assert repr(secret)[2:-1] not in shown
        assert "123456" not in shown


def test_lengths_are_checked() -> None:
    for wrong in (
        lambda: RecordKeys(bytes(15), bytes(32)),
        lambda: RecordKeys(bytes(16), bytes(31)),
        lambda: RecordKeys(bytes(16), bytes(32), bytes(33)),
        lambda: CommitmentOpening(CommitmentKind.LENGTH, RewardSource.TASK, 1, b""),
        lambda: CommitmentOpening(CommitmentKind.LENGTH, RewardSource.TASK, 2**63, bytes(32)),
    ):
        with pytest.raises(MalformedError):
            wrong()
