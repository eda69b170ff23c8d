"""Two wallets with known keys, and a chain to open a channel between them on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ledger.chain.state_keys import channel_key
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.wallet.payee import PayeeClosing, PayeeOpen
from ledger.wallet.payer import PayerClosing, PayerOpen, PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.chain_world import ChainWorld, known_key

ALICE, BOB = known_key("alice"), known_key("bob")
DEPOSIT: Final = 1_000
CHALLENGE: Final = 5
EXPIRY: Final = 101
LINKS: Final = PayWordOffer(unit=10, count=100)


def wallet(root: Path, name: str) -> Wallet:
    """A wallet with the key of this name."""
    made = Wallet.create(root / name)
    (root / name / "key").write_bytes(known_key(name).to_pem())
    assert made.account != Wallet.open(root / name).account
    return Wallet.open(root / name)


def terms(**fields: Any) -> dict[str, Any]:
    return {
        "payee": bytes(BOB.public_key),
        "asset": 0,
        "deposit": DEPOSIT,
        "expiry_height": EXPIRY,
        "challenge": CHALLENGE,
        **fields,
    }


class Ends:
    """Alice's and Bob's end of a channel that is open on the chain at height 1."""

    def __init__(self, root: Path, payword: PayWordOffer | None = None) -> None:
        self.world = ChainWorld()
        self.alice, self.bob = wallet(root, "alice"), wallet(root, "bob")
        opening = self.alice.open_channel(self.world.chain, 0, **terms(payword=payword))
        self.channel = opening.channel
        self.world.must(ALICE, opening.message)
        self.payer: PayerOpen | PayerClosing = opening.opened(self.record())
        self.payee: PayeeOpen | PayeeClosing = self.bob.begin_payee(
            self.world.chain, self.channel, self.record()
        )

    def find_record(self) -> ChannelRecord | None:
        return self.world.state.read(ChannelRecord, channel_key(self.channel))

    def record(self) -> ChannelRecord:
        found = self.find_record()
        assert found is not None
        return found

    @property
    def open_payer(self) -> PayerOpen:
        assert isinstance(self.payer, PayerOpen)
        return self.payer

    @property
    def open_payee(self) -> PayeeOpen:
        assert isinstance(self.payee, PayeeOpen)
        return self.payee

    def restart(self) -> None:
        """Both ends die and come back."""
        self.payer.release()
        self.payee.release()
        payer, payee = self.alice.payer(self.channel), self.bob.payee(self.channel)
        assert isinstance(payer, PayerOpen | PayerClosing)
        self.payer, self.payee = payer, payee
