"""A small chain in which every action happens, block by block, the same in every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.header import Header
from ledger.chain.ids import consent_id
from ledger.chain.leaf import LeafKind, encode_leaf
from ledger.chain.result import Result, results_root
from ledger.chain.rules.fleet import authority_message
from ledger.chain.rules.payment import approve
from ledger.chain.sponsorship import pool_account
from ledger.checkpoint import Checkpoint, log_id, sign_checkpoint
from ledger.experience.entry import Erasure, encode_entry
from ledger.merkle.hashing import leaf_hash, leaf_hashes, tree_root
from ledger.note import NoteSigner
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint
from ledger.schema.chain_channel_pb2 import (
    ChallengeClose,
    CloseChannel,
    OpenChannel,
    PayWord,
    PayWordMode,
    SettleChannel,
    TopUpChannel,
    Voucher,
    VoucherMode,
)
from ledger.schema.chain_consent_pb2 import GrantConsent, ReportErasure, WithdrawConsent
from ledger.schema.chain_identity_pb2 import (
    CancelRecovery,
    ChangeAuthority,
    PayFromPool,
    RetireRobot,
    SetIssuerKey,
    SetSponsorship,
)
from ledger.schema.chain_payment_pb2 import (
    Asset,
    CreateAsset,
    Mint,
    Output,
    SetSpendingCap,
    Transfer,
)
from tests.ledger.chain.frozen.eventful_exchange import exchange
from tests.ledger.chain.frozen.eventful_grant import grant
from tests.ledger.chain.frozen.eventful_learning import learn
from tests.ledger.chain.frozen.eventful_sharing import share
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.robot_world import ORIGIN, OTHER, RobotWorld, quorum
from tests.ledger.chain.state.naive_state import root_of

RECORD: Final = bytes(range(16))
THIRD: Final = "example.com/dingo"


@dataclass
class Block:
    """Transactions with what came of them, and the header after them."""

    transactions: list[tuple[bytes, Result]] = field(default_factory=list)
    header: Header | None = None


class EventfulChain(RobotWorld):
    """A `RobotWorld` that keeps its log: leaves, headers and all."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.blocks: list[Block] = [Block()]
        super().__init__(min_fee=1, cap_delay=2, recovery_delay=2, max_overlap=5, min_challenge=1)

    def register(
        self, fleet: bytes, origin: str, authority: str = "authority", **fields: Any
    ) -> Any:
        key = super().register(fleet, origin, authority, **fields)
        self.fund(key, 100)
        return key

    def submit(self, encoded: bytes, attachments: Sequence[bytes] = ()) -> Result:
        """Take a transaction into the block that is being made."""
        result = super().submit(encoded, attachments)
        self.blocks[-1].transactions.append((encoded, result))
        return result

    def advance(self, blocks: int = 1) -> None:
        """End the block with its header, and begin the next."""
        for _ in range(blocks):
            self._end_block()
            super().advance()

    def _end_block(self) -> None:
        if not self.leaves:
            self.leaves.append(self.genesis.leaf)
        block = self.blocks[-1]
        self.leaves += [
            encode_leaf(LeafKind.TRANSACTION, encoded) for encoded, _ in block.transactions
        ]
        before = self.blocks[-2].header if len(self.blocks) > 1 else None
        block.header = Header(
            chain=self.chain,
            height=self.height,
            time_ns=self.time_ns,
            previous=before.app_hash if before else self.chain,
            log_size=len(self.leaves),
            log_root=tree_root(leaf_hashes(self.leaves)),
            transactions=len(block.transactions),
            results_root=results_root([result.encode() for _, result in block.transactions]),
            state_root=root_of(self.rows()),
        )
        self.leaves.append(block.header.leaf)
        self.blocks.append(Block())


def build() -> EventfulChain:
    """Let everything happen."""
    chain = EventfulChain()
    _pay(chain)
    chain.advance()
    _govern(chain)
    chain.advance()
    _open_channels(chain)
    _consent(chain)
    chain.advance()
    _close_channels(chain)
    _change_keys(chain)
    chain.advance(2)
    _settle(chain)
    _end(chain)
    chain.advance()
    share(chain, THIRD)
    chain.advance()
    grant(chain, THIRD)
    chain.advance()
    exchange(chain, THIRD)
    chain.advance()
    learn(chain, THIRD)
    chain.advance()
    return chain


def _pay(chain: EventfulChain) -> None:
    alice, bob = chain.key("alice"), account_of(chain.key("bob"))
    governors = [chain.key("governor 0"), chain.key("governor 1")]
    chain.must(alice, Transfer(recipient=bob, amount=5, memo=b"for tea"), given=[b"a receipt"])
    chain.do(alice, Transfer(recipient=bob, amount=2**64 - 1))  # refused
    asset = CreateAsset(asset=Asset(id=7, symbol="KWH", decimals=3))
    mint = Mint(asset=7, outputs=[Output(account=bob, amount=900)])
    for message in (asset, mint):
        approvals = [approve(chain.chain, key, message) for key in governors]
        message.approvals.extend(sorted(approvals, key=lambda each: each.key))
        chain.must(alice, message)
    chain.must(alice, SetSpendingCap(asset=0, amount=500_000, period=10))
    chain.must(alice, SetSpendingCap(asset=0, amount=600_000, period=10))


def _govern(chain: EventfulChain) -> None:
    fleet, old, new = chain.fleet, chain.key("authority"), chain.key("bob")
    other = chain.create_fleet("other")
    # The encoding of the generator of G2 (BLS12-381, compressed).
    generator = bytes.fromhex(
        "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049"
        "334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051"
        "c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    )
    chain.must(old, SetIssuerKey(fleet=fleet, epoch=3, public_key=generator))
    chain.fund(pool_account(fleet), 1_000)
    chain.must(old, PayFromPool(fleet=fleet, recipient=account_of(chain.key("carol")), amount=50))
    chain.must(old, SetSponsorship(fleet=fleet, amount=20, period=10))
    chain.set_policy(quorum(1, "one", "two"))
    signed = authority_message(chain.chain, other, account_of(old), account_of(new))
    chain.must(
        old,
        ChangeAuthority(fleet=other, new_authority=account_of(new), new_signature=new.sign(signed)),
    )


def _open_channels(chain: EventfulChain) -> None:
    alice, bob = chain.key("alice"), chain.key("bob")
    for mode in (
        {"voucher": VoucherMode()},
        {"voucher": VoucherMode()},
        {"payword": PayWordMode(w0=_words(chain, _channel(chain, 2)).w0, unit=10, count=4)},
    ):
        chain.must(
            alice,
            OpenChannel(
                payee=account_of(bob),
                asset=0,
                deposit=100,
                expiry_height=50,
                challenge=2,
                **mode,
            ),
        )
    chain.must(alice, TopUpChannel(channel=_channel(chain, 0), amount=11))


FIRST_OPENING: Final = 5
"""Sequence of alice's first opening: she paid, created, minted and capped twice before."""


def _channel(chain: EventfulChain, number: int) -> bytes:
    return channel_id(chain.chain, account_of(chain.key("alice")), FIRST_OPENING + number)


def _words(chain: EventfulChain, channel: bytes) -> PayWordChain:
    return PayWordChain(channel, b"a seed of thirty-two bytes......", 4)


def _claim(chain: EventfulChain, channel: bytes, cumulative: int) -> Voucher:
    voucher = sign_voucher(chain.chain, channel, chain.key("alice"), cumulative)
    return Voucher(cumulative=voucher.cumulative, signature=voucher.signature)


def _close_channels(chain: EventfulChain) -> None:
    alice, bob = chain.key("alice"), chain.key("bob")
    final, disputed, worded = (_channel(chain, number) for number in range(3))
    chain.must(bob, CloseChannel(channel=final, voucher=_claim(chain, final, 60)))
    chain.must(alice, CloseChannel(channel=disputed, voucher=_claim(chain, disputed, 5)))
    chain.must(bob, ChallengeClose(channel=disputed, voucher=_claim(chain, disputed, 45)))
    link = _words(chain, worded).link(3)
    chain.must(bob, CloseChannel(channel=worded, payword=PayWord(index=link.index, link=link.link)))


def _settle(chain: EventfulChain) -> None:
    chain.advance()
    chain.must(chain.key("bob"), SettleChannel(channel=_channel(chain, 1)))


def _consent(chain: EventfulChain) -> None:
    """A log of one entry, the erasure of what the consent is about, anchored and reported."""
    bob, kelpie = chain.key("bob"), chain.kelpie
    grants = []
    for purpose in ("to learn to walk", "to learn to run"):
        account = chain.account(bob)
        grants.append(consent_id(chain.chain, account_of(bob), account.sequence if account else 0))
        chain.must(
            bob,
            GrantConsent(subject=bytes(32), origin=OTHER, record_id=[RECORD], purpose=purpose),
        )
    chain.must(bob, WithdrawConsent(consent=grants[0]))
    entry = encode_entry(log_id(OTHER), 0, Erasure(record_ids=(RECORD,)), kelpie)
    note = sign_checkpoint(Checkpoint(OTHER, 1, leaf_hash(entry)), [NoteSigner(OTHER, kelpie)])
    chain.set_policy(b"")
    chain.must(bob, AnchorCheckpoint(note=note))
    chain.must(bob, ReportErasure(consent=grants[0], entry=entry, index=0))


def _change_keys(chain: EventfulChain) -> None:
    old = chain.husky
    chain.rotate(old, "second")
    chain.retire_key(old)
    chain.begin_recovery("third")
    chain.must(chain.key("second"), CancelRecovery(origin=ORIGIN), sponsor=chain.fleet)
    chain.begin_recovery("fourth")


def _end(chain: EventfulChain) -> None:
    chain.complete_recovery()
    key = chain.key("fourth")
    for size in (3, 7):
        chain.anchor(chain.note(size, key))
    result = chain.report(chain.note(7, key), chain.note(7, key, fork=2))
    if result.code:
        raise AssertionError(f"the fork was not taken for one: {result.code!r}")
    chain.must(chain.kelpie, RetireRobot(origin=OTHER))
    chain.register(chain.fleet, THIRD, role="dog", successor_of=ORIGIN)
