"""A chain on which Alice pays Bob through a channel."""

from __future__ import annotations

from typing import Any, Final

from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import channel_key
from ledger.ed25519 import PrivateKey
from ledger.schema.chain_channel_pb2 import (
    ChallengeClose,
    ChannelRecord,
    CloseChannel,
    OpenChannel,
    PayWord,
    PayWordMode,
    SettleChannel,
    TopUpChannel,
    Voucher,
    VoucherMode,
)
from tests.ledger.chain.rules.chain_world import PEOPLE_MONEY, ChainWorld, account_of, known_key

ALICE, BOB, CAROL = known_key("alice"), known_key("bob"), known_key("bank")
DEPOSIT: Final = 1_000
CHALLENGE: Final = 5
EXPIRY: Final = 101
"""Of channels opened at height 1."""
SEED: Final = b"s" * 32
N: Final = 10
UNIT: Final = 100


def opening(**fields: Any) -> OpenChannel:
    values = {
        "payee": account_of(BOB),
        "deposit": DEPOSIT,
        "expiry_height": EXPIRY,
        "challenge": CHALLENGE,
        **fields,
    }
    if "payword" not in values:
        values.setdefault("voucher", VoucherMode())
    return OpenChannel(**values)


class ChannelWorld(ChainWorld):
    """Alice pays Bob through one channel, by vouchers or by 10 links of 100 each."""

    def __init__(self, *, by_links: bool = False, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.channel = channel_id(self.chain, account_of(ALICE), 0)
        self.links = PayWordChain(self.channel, SEED, N)
        mode = {"payword": PayWordMode(w0=self.links.w0, unit=UNIT, count=N)} if by_links else {}
        self.by_links = by_links
        self.must(ALICE, opening(**mode))

    def next_channel(self) -> bytes:
        """The id of the channel that Alice would open next."""
        account = self.account(ALICE)
        return channel_id(self.chain, account_of(ALICE), account.sequence if account else 0)

    def record(self, channel: bytes | None = None) -> ChannelRecord | None:
        return self.state.read(ChannelRecord, channel_key(channel or self.channel))

    def voucher(self, amount: int, key: PrivateKey = ALICE, **other: bytes) -> Voucher:
        signed = sign_voucher(
            other.get("chain", self.chain), other.get("channel", self.channel), key, amount
        )
        return Voucher(cumulative=amount, signature=signed.signature)

    def link(self, index: int) -> PayWord:
        return PayWord(index=index, link=self.links.link(index).link)

    def claim(self, amount: int) -> dict[str, Any]:
        """A claim to an amount, as fields of a close or a challenge; none to 0."""
        if not amount:
            return {}
        if self.by_links:
            return {"payword": self.link(amount // UNIT)}
        return {"voucher": self.voucher(amount)}

    def close(self, key: PrivateKey, amount: int = 0, **fields: Any) -> ResultCode:
        message = CloseChannel(channel=self.channel, **(fields or self.claim(amount)))
        return ResultCode(self.do(key, message).code)

    def challenge(self, amount: int, key: PrivateKey = CAROL, **fields: Any) -> ResultCode:
        message = ChallengeClose(channel=self.channel, **(fields or self.claim(amount)))
        return ResultCode(self.do(key, message).code)

    def settle(self, key: PrivateKey = CAROL) -> ResultCode:
        return ResultCode(self.do(key, SettleChannel(channel=self.channel)).code)

    def top_up(self, amount: int, key: PrivateKey = ALICE) -> ResultCode:
        return ResultCode(self.do(key, TopUpChannel(channel=self.channel, amount=amount)).code)

    def paid(self) -> tuple[int, int]:
        """What the channel, closed, has brought Bob and cost Alice."""
        assert self.record() is None, "the channel is still there"
        return self.balance(BOB) - PEOPLE_MONEY, PEOPLE_MONEY - self.balance(ALICE)
