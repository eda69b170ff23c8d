"""A payer that cheats, a payee that is watchful, a network that loses, and a chain: any course.

What must hold whatever happens: a payee that closes in time gets at least the highest claim
it accepted; a payer never loses more than it signed; money is conserved, which `ChainWorld`
checks with every transaction. Both ends die and come back at any time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.chain.channel.voucher import Voucher
from ledger.chain.codes import ResultCode
from ledger.errors import LedgerError, RefusedError, VerificationError
from ledger.schema.chain_channel_pb2 import ChallengeClose, SettleChannel
from ledger.wallet.payee import PayeeClosing, PayeeOpen
from ledger.wallet.payer import Claim, PayerOpen, close_message
from tests.ledger.chain.rules.chain_world import PEOPLE_MONEY, known_key
from tests.ledger.wallet.channel_ends import ALICE, BOB, CHALLENGE, EXPIRY, LINKS, Ends

CAROL = known_key("bank")


class ChannelCourse(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sent: list[Claim] = []
        self.signed = 0
        self.accepted = 0
        self.ends: Ends

    @initialize(by_links=st.booleans())
    def begin(self, by_links: bool) -> None:
        self.ends = Ends(Path(self.folder.name), LINKS if by_links else None)

    @property
    def height(self) -> int:
        return self.ends.world.height

    # The payer

    @rule(amount=st.integers(-1, 120), arrives=st.booleans())
    def pay(self, amount: int, arrives: bool) -> None:
        payer = self.ends.payer
        if not isinstance(payer, PayerOpen):
            return
        amount = amount * 10 if payer.terms.payword else amount
        try:
            claim = payer.pay(amount)
        except RefusedError:
            assert amount < 1 or amount > payer.left
            return
        self.signed += amount
        assert payer.paid == self.signed
        if arrives:
            self.sent.append(claim)

    @rule(amount=st.integers(1, 300))
    def top_up(self, amount: int) -> None:
        payer, record = self.ends.payer, self.ends.find_record()
        if not isinstance(payer, PayerOpen) or payer.terms.payword or record is None:
            return
        result = self.ends.world.do(ALICE, payer.top_up(amount))
        if result.code == ResultCode.OK:
            payer.observe(self.ends.record())
        else:
            assert record.closing_height or self.height >= EXPIRY

    @rule()
    def payer_closes(self) -> None:
        if isinstance(self.ends.payer, PayerOpen):
            self.ends.payer = self.ends.payer.close()
            self.ends.world.do(ALICE, self.ends.payer.message)

    @rule(data=st.data())
    def payer_closes_with_something_stale(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from([None, *self.sent]))
        self.ends.world.do(ALICE, close_message(self.ends.channel, claim))

    # The payee

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), spoil=st.booleans())
    def deliver(self, data: st.DataObject, spoil: bool) -> None:
        payee = self.ends.payee
        claim = data.draw(st.sampled_from(self.sent))
        if not isinstance(payee, PayeeOpen):
            return
        if spoil:
            claim = (
                Voucher(claim.cumulative + 1, claim.signature)
                if isinstance(claim, Voucher)
                else type(claim)(claim.index, bytes(32))
            )
        record = self.ends.find_record()
        if record is not None and isinstance(state := payee.observe(record), PayeeClosing):
            self.ends.payee = state
            return
        before = payee.earned
        try:
            payment = payee.accept(claim, self.height)
        except (VerificationError, RefusedError):
            assert payee.earned == before
            return
        assert not spoil
        assert payment.total == before + payment.amount <= self.signed
        self.accepted = payment.total

    def payee_acts(self) -> None:
        """What a watchful payee does once a block: it answers a close, and the expiry."""
        record = self.ends.find_record()
        if record is None:
            return
        payee = self.ends.payee
        if isinstance(payee, PayeeOpen):
            state = payee.observe(record)
            if isinstance(state, PayeeOpen) and self.height + 1 >= EXPIRY:
                state = state.close()
            self.ends.payee = payee = state
        if isinstance(payee, PayeeClosing):
            result = self.ends.world.do(BOB, payee.message(record.claimed))
            assert result.code == ResultCode.OK

    @rule()
    def payee_closes(self) -> None:
        if isinstance(self.ends.payee, PayeeOpen):
            self.ends.payee = self.ends.payee.close()

    # Others

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def somebody_challenges(self, data: st.DataObject) -> None:
        close = close_message(self.ends.channel, data.draw(st.sampled_from(self.sent)))
        name = close.WhichOneof("claim")
        assert name is not None
        claim = {name: getattr(close, name)}
        self.ends.world.do(CAROL, ChallengeClose(channel=self.ends.channel, **claim))

    @rule()
    def somebody_settles(self) -> None:
        self.ends.world.do(CAROL, SettleChannel(channel=self.ends.channel))

    @rule()
    def everybody_dies_and_comes_back(self) -> None:
        self.ends.restart()
        if isinstance(self.ends.payer, PayerOpen):
            assert self.ends.payer.paid == self.signed
        assert self.ends.payee.earned == self.accepted

    @rule(blocks=st.sampled_from([1, 2, CHALLENGE, 40]))
    def blocks_pass(self, blocks: int) -> None:
        """The payee looks at the chain once in a challenge, or before the expiry."""
        for _ in range(blocks):
            self.payee_acts_in_time()
            self.ends.world.advance()

    def payee_acts_in_time(self) -> None:
        record = self.ends.find_record()
        if record is None:
            return
        closing = record.closing_height
        last = closing if closing else EXPIRY - 1
        if self.height >= last or (not closing and isinstance(self.ends.payee, PayeeClosing)):
            self.payee_acts()

    # What must hold

    @invariant()
    def nobody_is_robbed(self) -> None:
        if not hasattr(self, "ends") or self.ends.find_record() is not None:
            return
        gain = self.ends.world.balance(BOB) - PEOPLE_MONEY
        loss = PEOPLE_MONEY - self.ends.world.balance(ALICE)
        assert gain == loss
        assert loss <= self.signed, "the payer lost more than it signed"
        assert gain >= self.accepted, "the payee lost what it accepted"

    def teardown(self) -> None:
        try:
            if hasattr(self, "ends"):
                self.blocks_pass(EXPIRY + CHALLENGE)
                self.somebody_settles()
                assert self.ends.find_record() is None
                self.nobody_is_robbed()
                for end in (self.ends.payer, self.ends.payee):
                    end.release()
        except LedgerError as error:
            raise AssertionError("the course could not be ended") from error
        finally:
            self.folder.cleanup()


TestChannelCourse = ChannelCourse.TestCase
TestChannelCourse.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
