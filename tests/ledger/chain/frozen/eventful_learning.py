"""What happens on the frozen chain after a sale: streamed, trained on, withdrawn, erased."""

from __future__ import annotations

from typing import Final

from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.fleets import fleet_id
from ledger.chain.ids import consent_id, grant_id, model_id
from ledger.schema.chain_channel_pb2 import CloseChannel, OpenChannel, Voucher, VoucherMode
from ledger.schema.chain_consent_pb2 import (
    AcknowledgeConsent,
    ConfirmErasure,
    GrantConsent,
    WithdrawConsent,
)
from ledger.schema.chain_learning_pb2 import RegisterModel, WithdrawModel
from tests.ledger.chain.frozen.eventful_grant import FLEET
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.robot_world import RobotWorld

RECORD: Final = bytes(range(16, 32))
"""That `eventful_exchange` offers."""
MODEL_ROOT: Final = bytes(range(64, 96))


def learn(chain: RobotWorld, origin: str) -> None:
    """Stream under the grant of `eventful_exchange`, train, and erase what it was trained on."""
    robot, buyer, bob = chain.key(origin), chain.key("second time"), chain.key("bob")
    grant, fleet = grant_id(chain.chain, account_of(buyer)), fleet_id(chain.chain, FLEET)
    _stream(chain, origin, grant)
    chain.must(
        bob,
        RegisterModel(
            fleet=fleet,
            name="heel",
            content_root=MODEL_ROOT,
            content_size=4_096,
            inputs=[bytes(32), bytes(range(32))],
            grants=[grant],
        ),
    )
    account = chain.account(bob)
    consent = consent_id(chain.chain, account_of(bob), account.sequence if account else 0)
    granted = GrantConsent(subject=bytes(32), origin=origin, record_id=[RECORD], purpose="rescue")
    chain.must(bob, granted)
    chain.must(robot, AcknowledgeConsent(consent=consent))
    chain.advance()
    chain.must(bob, WithdrawConsent(consent=consent))
    chain.must(buyer, ConfirmErasure(grant=grant))
    chain.must(bob, WithdrawModel(model=model_id(chain.chain, fleet, MODEL_ROOT)))


def _stream(chain: RobotWorld, origin: str, grant: bytes) -> None:
    robot, buyer = chain.key(origin), chain.key("second time")
    account = chain.account(buyer)
    sequence = account.sequence if account else 0
    channel = channel_id(chain.chain, account_of(buyer), sequence)
    chain.must(
        buyer,
        OpenChannel(
            payee=account_of(robot),
            asset=0,
            deposit=50,
            expiry_height=chain.height + 9,
            challenge=2,
            voucher=VoucherMode(),
            grant=grant,
        ),
    )
    signed = sign_voucher(chain.chain, channel, buyer, 23)
    voucher = Voucher(cumulative=signed.cumulative, signature=signed.signature)
    chain.must(robot, CloseChannel(channel=channel, voucher=voucher))
