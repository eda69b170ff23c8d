"""The folder and the key: modes, refusals, and that nothing shows a secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.transaction import parse_transaction
from ledger.ed25519 import PrivateKey, is_signed
from ledger.errors import (
    KeyStoreError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.schema.chain_channel_pb2 import ChannelRecord, VoucherMode
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.payer import PayerOpening
from ledger.wallet.wallet import End, Wallet
from tests.ledger.chain.rules.chain_world import ChainWorld, account_of
from tests.ledger.wallet.channel_ends import ALICE, BOB, LINKS, Ends, terms, wallet


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_a_wallet(tmp_path: Path) -> None:
    root = tmp_path / "new" / "wallet"
    made = Wallet.create(root)
    assert (mode(root), mode(root / "channels"), mode(root / "key")) == (0o700, 0o700, 0o600)
    assert Wallet.open(root).account == made.account
    assert [path.name for path in sorted(root.iterdir())] == ["channels", "key"]
    channel = made.open_channel(bytes(32), 0, **terms()).channel
    assert mode(root / "channels" / f"{channel.hex()}.payer") == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    made = Wallet.create(tmp_path)
    with pytest.raises(RefusedError, match="exists"):
        Wallet.create(tmp_path)
    assert Wallet.open(tmp_path).account == made.account


def test_a_wallet_over_a_key_that_is_kept_elsewhere(tmp_path: Path) -> None:
    root, key = tmp_path / "robots" / "wallet", PrivateKey.generate()
    made = Wallet.over(root, key)
    assert made.account == bytes(key.public_key)
    made.open_channel(bytes(32), 0, **terms()).release()
    again = Wallet.over(root, key)
    assert again.account == made.account
    assert again.channels() == made.channels()
    # No file has the secret, in any form that a key is written in.
    secret = key.to_pem()
    for path in root.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes()
            assert secret.splitlines()[1] not in path.read_bytes()
    assert (mode(root), mode(root / "channels"), mode(root / "account")) == (0o700, 0o700, 0o600)
    with pytest.raises(RefusedError, match="another key"):
        Wallet.over(root, PrivateKey.generate())
    with pytest.raises(KeyStoreError, match="elsewhere"):
        Wallet.open(root)
    with pytest.raises(RefusedError, match="elsewhere"):
        Wallet.create(root)
    assert not (root / "key").exists()


def test_a_wallet_is_over_one_key(tmp_path: Path) -> None:
    Wallet.create(tmp_path / "own")
    with pytest.raises(RefusedError, match="of its own"):
        Wallet.over(tmp_path / "own", PrivateKey.generate())
    key = PrivateKey.generate()
    Wallet.over(tmp_path / "over", key)
    path = tmp_path / "over" / "account"
    for spoilt in (b"", path.read_bytes()[:-1], b"A" * 64 + b"\n"):
        path.write_bytes(spoilt)
        with pytest.raises(KeyStoreError, match="damaged"):
            Wallet.over(tmp_path / "over", key)
        with pytest.raises(KeyStoreError, match="damaged"):
            Wallet.open(tmp_path / "over")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Wallet.create(tmp_path)
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyStoreError, match="read by others") as refused:
        Wallet.open(tmp_path)
    assert refused.value.hint == f"chmod 600 {tmp_path / 'key'}"


@pytest.mark.parametrize("spoil", ["missing", "empty", "cut", "other"])
def test_a_damaged_key_is_refused_and_not_quoted(tmp_path: Path, spoil: str) -> None:
    Wallet.create(tmp_path)
    path = tmp_path / "key"
    pem = path.read_bytes()
    if spoil == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": pem[:70], "other": pem.swapcase()}[spoil])
    with pytest.raises(KeyStoreError) as refused:
        Wallet.open(tmp_path)
    for line in pem.splitlines()[1:-1]:
        assert line.decode() not in str(refused.value)


def test_nothing_shows_a_secret(ends: Ends, tmp_path: Path) -> None:
    ends.open_payer.pay(10)
    secrets = [path.read_bytes() for path in tmp_path.rglob("*.payer")]
    seed = secrets[0][-64:-32]
    shown = "".join(
        repr(each) + str(each)
        for each in (ends.alice, ends.payer, ends.payee, ends.payer._file.row, ends.payer._key)
    )
    for secret in (ALICE.to_pem().splitlines()[1].decode(), seed.hex(), repr(seed)):
        assert secret not in shown


def test_a_wallet_signs_what_the_chain_takes(tmp_path: Path) -> None:
    world, alice = ChainWorld(), wallet(tmp_path, "alice")
    body = TransactionBody(sequence=0, expiry_height=9)
    body.transfer.CopyFrom(Transfer(recipient=account_of(BOB), amount=5))
    encoded = alice.sign(world.chain, body)
    transaction = parse_transaction(world.chain, encoded)
    assert transaction.signer == alice.account
    assert is_signed(*transaction.claim)
    assert world.submit(encoded).code == ResultCode.OK


def test_the_channels_of_a_wallet(ends: Ends, tmp_path: Path) -> None:
    assert ends.alice.channels() == ((ends.channel, End.PAYER),)
    assert ends.bob.channels() == ((ends.channel, End.PAYEE),)
    (tmp_path / "alice" / "channels" / "notes.txt").write_text("mine")
    (tmp_path / "alice" / "channels" / f"{'zz' * 32}.payer").write_text("")
    assert ends.alice.channels() == ((ends.channel, End.PAYER),)
    ends.open_payer.forget()
    assert ends.alice.channels() == ()
    with pytest.raises(NotFoundError):
        ends.alice.payer(ends.channel)


def test_openings_that_cannot_be(tmp_path: Path) -> None:
    alice = wallet(tmp_path, "alice")
    for refused in (
        {"payee": alice.account},
        {"payee": b"short"},
        {"deposit": -1},
        {"deposit": 1 << 64},
        {"asset": 1 << 32},
        {"challenge": 1 << 32},
        {"expiry_height": 1 << 64},
    ):
        with pytest.raises(LedgerError):
            alice.open_channel(bytes(32), 0, **terms(**refused))
    assert alice.channels() == ()


def test_a_channel_knows_the_grant_that_it_pays_for(tmp_path: Path) -> None:
    alice, grant = wallet(tmp_path, "alice"), bytes(range(32))
    opening = alice.open_channel(bytes(32), 0, **terms(grant=grant))
    made, message = opening.terms, opening.message
    assert message.grant == made.grant == grant
    opening.release()
    again = alice.payer(opening.channel)
    assert isinstance(again, PayerOpening)
    assert again.terms == made
    record = ChannelRecord(
        payer=alice.account,
        payee=message.payee,
        asset=message.asset,
        deposit=message.deposit,
        expiry_height=message.expiry_height,
        challenge=message.challenge,
        voucher=VoucherMode(),
    )
    for other in (b"", bytes(reversed(grant))):
        record.grant = other
        with pytest.raises(VerificationError):
            again.opened(record)
    record.grant = grant
    assert again.opened(record).terms == made
    for bad in (bytes(32), b"short"):
        with pytest.raises(MalformedError):
            alice.open_channel(bytes(32), 1, **terms(grant=bad))


def test_each_channel_has_a_seed_of_its_own(tmp_path: Path) -> None:
    alice = wallet(tmp_path, "alice")
    openings = [alice.open_channel(bytes(32), n, **terms(payword=LINKS)) for n in range(8)]
    seeds = {opening._file.row.seed for opening in openings}
    assert len(seeds) == 8
    assert all(len(seed) == 32 for seed in seeds)
    assert len({opening.message.payword.w0 for opening in openings}) == 8


def test_an_opening_under_way_is_not_begun_twice(tmp_path: Path) -> None:
    alice = wallet(tmp_path, "alice")
    opening = alice.open_channel(bytes(32), 0, **terms())
    opening.release()
    with pytest.raises(RefusedError, match="already"):
        alice.open_channel(bytes(32), 0, **terms(deposit=5))
    resumed = alice.payer(opening.channel)
    resumed.abandon()  # type: ignore[union-attr]
    alice.open_channel(bytes(32), 0, **terms(deposit=5))


def test_keys_of_wallets_differ(tmp_path: Path) -> None:
    made = {Wallet.create(tmp_path / str(n)).account for n in range(4)}
    assert len(made) == 4
    assert PrivateKey.generate().public_key not in made
