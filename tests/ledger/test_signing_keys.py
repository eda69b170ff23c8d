"""Private keys at rest, and their backup: read back whole, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.ed25519 import PrivateKey
from ledger.errors import KeyStoreError, LedgerError, MalformedError
from ledger.note import NoteSigner
from ledger.signing_keys import BACKUP_MAGIC, SigningKeys, open_backup

PASSPHRASE = b"knots on a cord"
OLD = NoteSigner("example.com/robot", PrivateKey.from_seed(bytes(32)))
NEW = NoteSigner("example.com/robot", PrivateKey.from_seed(bytes([1]) * 32))


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    kept = SigningKeys(tmp_path)
    kept.add(OLD)
    kept.add(NEW)
    return kept


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    kept = SigningKeys(tmp_path_factory.mktemp("keys"))
    kept.add(OLD)
    kept.add(NEW)
    return kept.back_up([OLD.verifier_key, NEW.verifier_key], PASSPHRASE)


def test_a_key_is_kept_for_its_owner_alone(keys: SigningKeys) -> None:
    path = keys.path_of(OLD.verifier_key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.signer(OLD.verifier_key).sign("x\n") == OLD.sign("x\n")
    keys.add(OLD)  # again: nothing happens


def test_a_file_that_others_can_read_is_refused(keys: SigningKeys) -> None:
    path = keys.path_of(OLD.verifier_key)
    path.chmod(0o640)
    with pytest.raises(KeyStoreError, match="read by others"):
        keys.signer(OLD.verifier_key)


def test_another_keys_file_is_refused(keys: SigningKeys) -> None:
    keys.path_of(OLD.verifier_key).write_bytes(NEW.private_key.to_pem())
    with pytest.raises(KeyStoreError, match="not the private key of"):
        keys.signer(OLD.verifier_key)
    with pytest.raises(KeyStoreError):
        keys.add(OLD)


def test_a_missing_key_is_named(keys: SigningKeys) -> None:
    keys.remove(OLD.verifier_key)
    keys.remove(OLD.verifier_key)
    with pytest.raises(KeyStoreError, match="No such file"):
        keys.signer(OLD.verifier_key)


def test_every_flipped_byte_of_a_key_file_is_refused_or_harmless(keys: SigningKeys) -> None:
    path = keys.path_of(OLD.verifier_key)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 0x20, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            try:
                signer = keys.signer(OLD.verifier_key)
            except KeyStoreError as error:
                assert whole[30:60].decode() not in str(error)
            else:
                assert signer.sign("x\n") == OLD.sign("x\n")


def test_a_backup_brings_the_keys_back_in_order(backup: bytes) -> None:
    restored = open_backup(backup, PASSPHRASE)
    assert [signer.verifier_key for signer in restored] == [OLD.verifier_key, NEW.verifier_key]
    assert restored[1].sign("x\n") == NEW.sign("x\n")


def test_a_backup_shows_neither_keys_nor_names(backup: bytes) -> None:
    assert b"PRIVATE" not in backup
    assert b"example" not in backup


def test_two_backups_of_one_key_have_nothing_in_common(keys: SigningKeys) -> None:
    one, other = (keys.back_up([OLD.verifier_key], PASSPHRASE) for _ in range(2))
    start = len(BACKUP_MAGIC) + 1
    assert one[start : start + 28] != other[start : start + 28]
    assert one[start + 28 :] != other[start + 28 :]


def test_a_wrong_passphrase_opens_nothing(backup: bytes) -> None:
    with pytest.raises(KeyStoreError, match="passphrase"):
        open_backup(backup, b"another")


def test_a_backup_without_a_passphrase_is_not_made(keys: SigningKeys) -> None:
    with pytest.raises(KeyStoreError):
        keys.back_up([OLD.verifier_key], b"")


@pytest.mark.parametrize("place", [0, 15, 17, 20, 35, 45, 60, -1])
def test_an_altered_backup_is_refused(backup: bytes, place: int) -> None:
    altered = bytearray(backup)
    altered[place] ^= 1
    with pytest.raises(LedgerError):
        open_backup(bytes(altered), PASSPHRASE)


@pytest.mark.parametrize("work", [0, 9, 21, 63, 255])
def test_a_backup_cannot_ask_for_endless_work(backup: bytes, work: int) -> None:
    asked = bytearray(backup)
    asked[len(BACKUP_MAGIC)] = work
    with pytest.raises(MalformedError, match="scrypt"):
        open_backup(bytes(asked), PASSPHRASE)


@pytest.mark.parametrize("data", [b"", BACKUP_MAGIC, b"x" * 100, BACKUP_MAGIC + bytes(28)])
def test_what_is_no_backup_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        open_backup(data, PASSPHRASE)


def test_no_secret_in_a_repr(keys: SigningKeys) -> None:
    seed = bytes(32).hex()
    assert seed not in repr(OLD)
    assert seed not in repr(keys.signer(OLD.verifier_key))
