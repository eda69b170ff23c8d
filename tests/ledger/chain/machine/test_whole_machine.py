"""Anything may be asked of a chain, in any order: its promises hold after every block.

Money is conserved, nothing is negative, a sequence rises by one with each success and never
else, a refusal changes nothing (`ChainWorld`); the machine comes to the state of the plain
rules, its root is that of the map's definition, and it rejects just the blocks that hold
what is refused (`MachineWorld`).
"""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.chain.account import MAX_AMOUNT, Account
from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.ids import consent_id
from ledger.chain.rules.payment import approve
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import robot_key
from ledger.ed25519 import PrivateKey
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
from ledger.schema.chain_consent_pb2 import GrantConsent, WithdrawConsent
from ledger.schema.chain_identity_pb2 import (
    BeginRecovery,
    CancelRecovery,
    CompleteRecovery,
    CreateFleet,
    PayFromPool,
    RetireKey,
    RetireRobot,
    RobotRecord,
    SetSponsorship,
    SetWitnessPolicy,
)
from ledger.schema.chain_payment_pb2 import (
    Asset,
    CreateAsset,
    Mint,
    Output,
    SetSpendingCap,
    Transfer,
)
from tests.ledger.chain.machine.machine_world import MachineWorld
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.robot_world import ORIGIN, OTHER, quorum
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS
from tests.ledger.witnessing.sample_trees import HONEST

KEYS: Final = ("key 1", "key 2", "key 3")
PEOPLE: Final = ("alice", "bob", "authority", "bank", "carol", ORIGIN, OTHER, *KEYS)
names = st.sampled_from(PEOPLE)
fresh = st.sampled_from((*KEYS, "alice"))
origins = st.sampled_from((ORIGIN, ORIGIN, OTHER, OTHER, "example.com/nobody"))
amounts = st.sampled_from((0, 1, 2, 7, 100, 999_999, 10**15, MAX_AMOUNT))
small = st.integers(0, 6)
little = st.sampled_from((1, 2, 7, 100))
assets = st.sampled_from((0, 0, 0, 1, 7))
claims = st.tuples(st.sampled_from(("voucher", "link", "none")), little | st.just(99_999))
SEED: Final = b"s" * 32


class AnyChain(RuleBasedStateMachine):
    """Rules act at once and together make a block; `block` ends it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.world = MachineWorld(
            Path(self._folder.name), min_fee=1, cap_delay=2, recovery_delay=2, max_overlap=3,
            min_challenge=1,
        )  # fmt: skip
        self.channels: list[tuple[str, bytes]] = []
        self.consents: list[bytes] = []
        self.sent: list[bytes] = []
        for name in PEOPLE:
            if name != "bank":
                self.world.fund(known_key(name), 500)

    def teardown(self) -> None:
        self.world.advance()
        self._folder.cleanup()

    # How things are asked

    body = st.one_of(
        *[st.just(dict[str, Any]())] * 4,
        st.fixed_dictionaries(
            {},
            optional={
                "fee": st.sampled_from((0, 1, 3, 10**9, MAX_AMOUNT)),
                "expiry_height": st.integers(0, 30),
                "sequence": st.integers(0, 12),
                "sponsor": st.sampled_from(("pool", bytes(32), b"x")),
            },
        ),
    )

    def ask(self, name: str, message: Message, body: dict[str, Any]) -> int:
        world = self.world
        fields = dict(body)
        if fields.get("sponsor") == "pool":
            fields["sponsor"] = world.fleet
        key = known_key(name)
        encoded = world.sign(key, message, **fields)
        self.sent.append(encoded)
        return world.do(key, message, **fields).code

    def account(self, name: str, odd: int = 0) -> bytes:
        """Mostly somebody's account; a pool, or 32 bytes that are no key."""
        if odd == 1:
            return pool_account(self.world.fleet)
        if odd == 2:
            return WEAK_KEYS[len(name) % len(WEAK_KEYS)]
        return account_of(known_key(name))

    def sequence(self, name: str) -> int:
        account = self.world.account(known_key(name))
        return account.sequence if account else 0

    # Money

    @rule(who=names, to=names, odd=small, asset=assets, amount=amounts, body=body)
    def transfer(
        self, who: str, to: str, odd: int, asset: int, amount: int, body: dict[str, Any]
    ) -> None:
        recipient = self.account(to, odd)
        self.ask(who, Transfer(asset=asset, recipient=recipient, amount=amount), body)

    @rule(
        who=names, to=names, asset=assets, amount=amounts, number=st.integers(0, 3),
        governors=st.sampled_from(((0,), (0, 1), (0, 1, 2), (1, 9))),
    )  # fmt: skip
    def mint(
        self, who: str, to: str, asset: int, amount: int, number: int, governors: tuple[int, ...]
    ) -> None:
        outputs = [Output(account=self.account(to), amount=amount)]
        self.approved(who, Mint(asset=asset, number=number, outputs=outputs), governors)

    @rule(who=names, governors=st.sampled_from(((0, 2), (1,))))
    def create_asset(self, who: str, governors: tuple[int, ...]) -> None:
        self.approved(who, CreateAsset(asset=Asset(id=7, symbol="KWH")), governors)

    def approved(self, who: str, message: Mint | CreateAsset, governors: tuple[int, ...]) -> None:
        keys = [known_key(f"governor {number}") for number in governors]
        approvals = [approve(self.world.chain, key, message) for key in keys]
        message.approvals.extend(sorted(approvals, key=lambda each: each.key))
        self.ask(who, message, {})

    @rule(who=names, asset=assets, amount=amounts, period=st.integers(0, 3), body=body)
    def cap(self, who: str, asset: int, amount: int, period: int, body: dict[str, Any]) -> None:
        self.ask(who, SetSpendingCap(asset=asset, amount=amount, period=period), body)

    # Channels

    @rule(
        who=names, to=names, odd=small, amount=little | amounts, life=st.integers(0, 19),
        challenge=st.integers(1, 3), links=st.sampled_from((0, 0, 4, 4, 1)), body=body,
    )  # fmt: skip
    def open_channel(
        self,
        who: str,
        to: str,
        odd: int,
        amount: int,
        life: int,
        challenge: int,
        links: int,
        body: dict[str, Any],
    ) -> None:
        name = channel_id(self.world.chain, account_of(known_key(who)), self.sequence(who))
        mode: dict[str, Any] = {"voucher": VoucherMode()}
        if links:
            w0 = PayWordChain(name, SEED, links).w0
            mode = {"payword": PayWordMode(w0=w0, unit=max(1, amount // links), count=links)}
        message = OpenChannel(
            payee=self.account(to, odd),
            deposit=amount,
            expiry_height=self.world.height + life,
            challenge=challenge,
            **mode,
        )
        if not self.ask(who, message, body):
            self.channels.append((who, name))

    @precondition(lambda self: self.channels)
    @rule(which=small, who=names, payer=st.booleans(), claim=claims, body=body)
    def close(
        self, which: int, who: str, payer: bool, claim: tuple[str, int], body: dict[str, Any]
    ) -> None:
        owner, name = self.channels[which % len(self.channels)]
        message = CloseChannel(channel=name, **self.claim(owner, name, claim))
        self.ask(owner if payer else who, message, body)

    @precondition(lambda self: self.channels)
    @rule(which=small, who=names, claim=claims, body=body)
    def challenge(self, which: int, who: str, claim: tuple[str, int], body: dict[str, Any]) -> None:
        owner, name = self.channels[which % len(self.channels)]
        message = ChallengeClose(channel=name, **self.claim(owner, name, claim))
        self.ask(who, message, body)

    @precondition(lambda self: self.channels)
    @rule(which=small, who=names, amount=little | amounts, settle=st.booleans(), body=body)
    def settle_or_top_up(
        self, which: int, who: str, amount: int, settle: bool, body: dict[str, Any]
    ) -> None:
        owner, name = self.channels[which % len(self.channels)]
        if settle:
            self.ask(who, SettleChannel(channel=name), body)
        else:
            self.ask(owner, TopUpChannel(channel=name, amount=amount), body)

    def claim(self, owner: str, name: bytes, claim: tuple[str, int]) -> dict[str, Any]:
        kind, amount = claim
        if kind == "voucher":
            signed = sign_voucher(self.world.chain, name, known_key(owner), amount)
            return {"voucher": Voucher(cumulative=amount, signature=signed.signature)}
        if kind == "link":
            index = 1 + amount % 4
            link = PayWordChain(name, SEED, 4).link(index)
            return {"payword": PayWord(index=index, link=link.link)}
        return {}

    # Fleets, robots, their logs, consent

    @rule(who=names, name=st.sampled_from(("fleet", "other", "", "n" * 65)), body=body)
    def found(self, who: str, name: str, body: dict[str, Any]) -> None:
        self.ask(who, CreateFleet(name=name), body)

    @rule(who=names, amount=amounts, period=st.integers(0, 3), to=names, odd=small, body=body)
    def pool(
        self, who: str, amount: int, period: int, to: str, odd: int, body: dict[str, Any]
    ) -> None:
        fleet = self.world.fleet
        self.ask("authority", SetSponsorship(fleet=fleet, amount=amount, period=period), body)
        recipient = self.account(to, odd)
        self.ask(who, PayFromPool(fleet=fleet, recipient=recipient, amount=amount), {})

    @rule(who=names | st.none(), origin=origins, new=fresh, overlap=st.integers(0, 4), body=body)
    def rotate_key(
        self, who: str | None, origin: str, new: str, overlap: int, body: dict[str, Any]
    ) -> None:
        signer = who or self.name_of(origin)
        self.ask(signer, self.world.rotation(origin, signer, new, overlap), body)

    def name_of(self, origin: str) -> str:
        current = self.key_of(origin)
        return next(name for name in PEOPLE if account_of(known_key(name)) == account_of(current))

    @rule(
        who=names | st.just("authority"), origin=origins, key=fresh, body=body,
        what=st.sampled_from(("retire key", "cancel", "complete", "begin", "retire robot")),
    )  # fmt: skip
    def keys(self, who: str, origin: str, key: str, body: dict[str, Any], what: str) -> None:
        if what == "begin":
            rotation = self.world.rotation(origin, "authority", key)
            message: Message = BeginRecovery(
                origin=origin, new_key=rotation.new_key, new_signature=rotation.new_signature
            )
            self.ask("authority", message, body)
            return
        message = RetireRobot(origin=OTHER)
        if what == "retire key":
            message = RetireKey(origin=origin, key=account_of(known_key(key)))
        elif what == "cancel":
            message = CancelRecovery(origin=origin)
        elif what == "complete":
            message = CompleteRecovery(origin=origin)
        self.ask(who, message, body)

    @rule(
        who=names, more=st.integers(0, 4), key=names, origin=origins, odd=small,
        fork=st.sampled_from((None, None, None, 2)), body=body,
    )  # fmt: skip
    def anchor_log(
        self,
        who: str,
        more: int,
        key: str,
        origin: str,
        odd: int,
        fork: int | None,
        body: dict[str, Any],
    ) -> None:
        anchored = self.world.anchored(origin)
        old = anchored.size if anchored else 0
        size = min(old + more, len(HONEST.leaves))
        signer = known_key(key) if odd == 1 else self.key_of(origin)
        note = self.world.note(size, signer, fork=fork, origin=origin)
        proof = HONEST.proof(old, size) if 0 < old < size else ()
        self.ask(who, AnchorCheckpoint(note=note, proof=proof if odd else ()), body)

    def key_of(self, origin: str) -> PrivateKey:
        """The key that speaks for a robot now, if it is one of ours."""
        robot = self.world.state.read(RobotRecord, robot_key(origin))
        current = {period.key for period in robot.keys[-1:]} if robot else set()
        keys = [known_key(name) for name in PEOPLE]
        return next((key for key in keys if account_of(key) in current), keys[0])

    @rule(
        one=st.integers(1, 9), other=st.integers(1, 9) | st.none(),
        fork=st.sampled_from((None, 2)), origin=origins, key=names, odd=small,
    )  # fmt: skip
    def report_fork(
        self, one: int, other: int | None, fork: int | None, origin: str, key: str, odd: int
    ) -> None:
        signer = known_key(key) if odd == 1 else self.key_of(origin)
        self.world.report(
            self.world.note(one, signer, origin=origin),
            self.world.note(other or one, signer, fork=fork, origin=origin),
        )

    @rule(policy=st.sampled_from((b"", b"what", quorum(1, "one", "two"))))
    def witness_policy(self, policy: bytes) -> None:
        self.ask("authority", SetWitnessPolicy(fleet=self.world.fleet, policy=policy), {})

    @rule(who=names, origin=origins, life=st.integers(0, 5), which=small, body=body)
    def consent(self, who: str, origin: str, life: int, which: int, body: dict[str, Any]) -> None:
        name = consent_id(self.world.chain, account_of(known_key(who)), self.sequence(who))
        record = sha256(bytes([which])).digest()[:16]
        message = GrantConsent(
            subject=bytes(32),
            origin=origin,
            record_id=[record],
            purpose="to learn",
            expiry_height=self.world.height + life,
        )
        if not self.ask(who, message, body):
            self.consents.append(name)
        held = self.consents[which % len(self.consents)] if self.consents else bytes(32)
        self.ask(who, WithdrawConsent(consent=held), {})

    # Strangers' bytes

    @rule(which=st.integers(0, 200), at=st.integers(0, 400), flip=st.integers(0, 255))
    def damaged_or_again(self, which: int, at: int, flip: int) -> None:
        if self.sent:
            encoded = self.sent[which % len(self.sent)]
            at %= len(encoded)
            damaged = encoded[:at] + bytes([encoded[at] ^ flip]) + encoded[at + 1 :]
            self.world.submit(damaged)

    @rule(garbage=st.binary(max_size=80))
    def garbage(self, garbage: bytes) -> None:
        self.world.submit(garbage)

    @rule(who=names, to=names)
    def for_another_chain(self, who: str, to: str) -> None:
        message = Transfer(recipient=self.account(to), amount=1)
        self.world.submit(self.world.sign(known_key(who), message, chain=bytes(32)))

    @rule(blocks=st.integers(1, 3))
    def block(self, blocks: int) -> None:
        self.world.advance(blocks)

    @invariant()
    def nothing_is_negative_or_too_much(self) -> None:
        for key, row in self.world.rows().items():
            if key[:1] == b"\x01":
                assert all(0 < amount <= MAX_AMOUNT for _, amount in Account.decode(row).holdings)


TestAnyChain = AnyChain.TestCase
TestAnyChain.settings = settings(
    max_examples=30,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
