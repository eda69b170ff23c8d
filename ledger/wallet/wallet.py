"""The folder of a wallet.

::

    WALLET/            mode 0700
      key              the private key (`ledger.wallet.key_file`), or
      account          the public one, where the private key is kept elsewhere
      channels/        one file an end of a channel (`ledger.wallet.channel_file`)

One wallet may be used on any number of chains: a channel's file says which it is on. A robot
that sells under its own key has a wallet `over` it: the key stays in the robot's home.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Final

from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.transaction import sign_transaction
from ledger.durable_file import sync_folder
from ledger.ed25519 import PrivateKey, PublicKey
from ledger.errors import KeyStoreError, RefusedError
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_pb2 import TransactionBody
from ledger.storage.os_errors import storage_errors
from ledger.wallet.channel_file import (
    PAYEE_SUFFIX,
    PAYER_SUFFIX,
    ChannelFile,
    PayeeRow,
    PayerRow,
    Stage,
)
from ledger.wallet.key_file import create_key, name_account, read_account, read_key
from ledger.wallet.payee import PayeeOpen, PayeeState, resume_payee
from ledger.wallet.payer import (
    PayerOpening,
    PayerState,
    PayWordOffer,
    new_seed,
    resume_payer,
)
from ledger.wallet.terms import ChannelTerms, PayWordTerms

EXCHANGE_TAG: Final = b"quipu/exchange/v1\0"

_PRIVATE_FOLDER: Final = 0o700
_FILE_NAME: Final = re.compile(r"([0-9a-f]{64})(\.payer|\.payee)")


class End(Enum):
    """Which end of a channel a wallet is."""

    PAYER = PAYER_SUFFIX
    PAYEE = PAYEE_SUFFIX


class Wallet:
    """A wallet that was opened; ``key`` is in memory, and shown by nothing."""

    def __init__(self, root: Path, key: PrivateKey) -> None:
        self.root: Final = root
        self._key: Final = key

    @classmethod
    def create(cls, root: Path) -> Wallet:
        """Make a wallet with a new key. Raises RefusedError where one is, StorageError."""
        if read_account(root / "account") is not None:
            raise RefusedError(f"{root} is the wallet of a key that is kept elsewhere")
        _make_folders(root)
        return cls(root, create_key(root / "key"))

    @classmethod
    def open(cls, root: Path) -> Wallet:
        """Open a wallet that has its own key. Raises KeyStoreError where there is none."""
        if read_account(root / "account") is not None:
            raise KeyStoreError(
                f"the key of the wallet {root} is kept elsewhere", hint="in its robot's home"
            )
        return cls(root, read_key(root / "key"))

    @classmethod
    def over(cls, root: Path, key: PrivateKey) -> Wallet:
        """The wallet of a key that is kept elsewhere, made where there is none yet.

        No secret is written: the folder names the account. Raises RefusedError for a wallet
        of another key, or one that has a key of its own; KeyStoreError for one whose account
        cannot be read; StorageError.
        """
        if (root / "key").exists():
            raise RefusedError(f"the wallet {root} has a key of its own", hint="open that one")
        account = bytes(key.public_key)
        if read_account(root / "account") is None:
            _make_folders(root)
            name_account(root / "account", account)
        if read_account(root / "account") != account:
            raise RefusedError(f"{root} is the wallet of another key", hint="choose another")
        return cls(root, key)

    def __repr__(self) -> str:
        return f"Wallet({self.root}, account {self.account.hex()})"

    @property
    def account(self) -> bytes:
        """The account that this wallet signs for, 32 bytes."""
        return bytes(self._key.public_key)

    def sign(self, chain: bytes, body: TransactionBody) -> bytes:
        """A transaction of this account: ``body`` with version and signer filled in.

        Sequence, fee and expiry are the caller's, who knows the chain. Raises MalformedError.
        """
        return sign_transaction(chain, self._key, body)

    def sign_exchange(self, content: bytes) -> bytes:
        """A signature of this account under a message of the exchange, 64 bytes."""
        # Ed25519(account, "quipu/exchange/v1\0" || content)
        return self._key.sign(EXCHANGE_TAG + content)

    def channels(self) -> tuple[tuple[bytes, End], ...]:
        """Id, and this wallet's end, of every channel that it has not forgotten, ascending."""
        with storage_errors(self.root):
            names = sorted(path.name for path in (self.root / "channels").iterdir())
        matches = [match for name in names if (match := _FILE_NAME.fullmatch(name))]
        return tuple((bytes.fromhex(match[1]), End(match[2])) for match in matches)

    def open_channel(
        self,
        chain: bytes,
        sequence: int,
        *,
        payee: bytes,
        asset: int,
        deposit: int,
        expiry_height: int,
        challenge: int,
        payword: PayWordOffer | None = None,
        grant: bytes = b"",
    ) -> PayerOpening:
        """Prepare a channel, paid by vouchers unless by links; for a ``grant``, or for none.

        ``sequence`` must be that of the transaction which then asks for its ``message``.
        Raises MalformedError for terms that cannot be, RefusedError for a channel that the
        wallet has already, StorageError.
        """
        if payee == self.account:
            raise RefusedError("a channel to the wallet itself")
        channel = channel_id(chain, self.account, sequence)
        seed, mode = b"", None
        if payword is not None:
            seed = new_seed()
            w0 = PayWordChain(channel, seed, payword.count).w0
            mode = PayWordTerms(w0, payword.unit, payword.count)
        terms = ChannelTerms(
            chain,
            channel,
            self.account,
            payee,
            asset,
            deposit,
            expiry_height,
            challenge,
            mode,
            grant,
        )
        row = PayerRow(terms, Stage.OPENING, 0, seed)
        return PayerOpening(ChannelFile.create(self._path(channel, End.PAYER), row), self._key)

    def payer(self, channel: bytes) -> PayerState:
        """The paying end of a channel, as it was left.

        Raises NotFoundError, LockedError, CorruptStoreError, StorageError.
        """
        file = ChannelFile.open(self._path(channel, End.PAYER), PayerRow.decode, PayerRow.advanced)
        return resume_payer(file, self._key)

    def begin_payee(self, chain: bytes, channel: bytes, record: ChannelRecord) -> PayeeOpen:
        """Begin to accept payments through a channel that the chain has this record of.

        The caller has verified the record, and finds its terms good: its challenge must
        be long enough for this end to notice and answer a close. Raises RefusedError for a
        channel that pays another, is closing, or is in the wallet already; MalformedError,
        StorageError.
        """
        terms = ChannelTerms.of_record(chain, channel, record)
        if terms.payee != self.account:
            raise RefusedError("the channel pays another account")
        if record.closing_height:
            raise RefusedError("the channel is closing", hint="ask the payer for another")
        PublicKey(terms.payer)  # refuses one that everybody can sign for
        row = PayeeRow(terms, Stage.OPEN, 0, b"")
        return PayeeOpen(ChannelFile.create(self._path(channel, End.PAYEE), row))

    def payee(self, channel: bytes) -> PayeeState:
        """The paid end of a channel, as it was left.

        Raises NotFoundError, LockedError, CorruptStoreError, StorageError.
        """
        file = ChannelFile.open(self._path(channel, End.PAYEE), PayeeRow.decode, PayeeRow.advanced)
        return resume_payee(file, self._key.public_key)

    def _path(self, channel: bytes, end: End) -> Path:
        return self.root / "channels" / f"{channel.hex()}{end.value}"


def _make_folders(root: Path) -> None:
    with storage_errors(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        for folder in (root, root / "channels"):
            folder.mkdir(_PRIVATE_FOLDER, exist_ok=True)
            folder.chmod(_PRIVATE_FOLDER)  # whatever the umask
            sync_folder(folder.parent)
