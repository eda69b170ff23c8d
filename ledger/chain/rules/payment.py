"""Rule: payment. Assets, what governors mint of them, transfers, spending caps.

Money comes into being by the genesis and by `Mint`, and is never destroyed: for each asset
the sum over all accounts and channels is what `AssetRecord.minted` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from google.protobuf.message import Message

from ledger.chain.account import (
    HAS_CAP,
    MAX_AMOUNT,
    credit,
    ensure_account,
    write_account,
)
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.genesis import MAX_BLOCKS, check_asset
from ledger.chain.rules.action import Action, require_id
from ledger.chain.spending import acting_cap, debit
from ledger.chain.state_keys import GOVERNORS_KEY, asset_key, cap_key
from ledger.ed25519 import PrivateKey, is_signed
from ledger.errors import CorruptStoreError, MalformedError
from ledger.schema.canonical import serialize_message
from ledger.schema.chain_payment_pb2 import (
    Approval,
    AssetRecord,
    CapRecord,
    CreateAsset,
    Mint,
    SetSpendingCap,
    Transfer,
)
from ledger.schema.chain_pb2 import EVENT_KIND_MINTED, Governors

MAX_MEMO: Final = 64
MAX_OUTPUTS: Final = 500
MAX_APPROVALS: Final = 64
APPROVAL_TAG: Final = b"quipu/approval/v1\0"


def approve(chain: bytes, key: PrivateKey, message: Mint | CreateAsset) -> Approval:
    """A governor's approval of a message, whatever approvals it has already."""
    signature = key.sign(_approved(chain, message))
    return Approval(key=bytes(key.public_key), signature=signature)


def _approved(chain: bytes, message: Mint | CreateAsset) -> bytes:
    # "quipu/approval/v1\0" || chain id || SHA256(name of the message || 0 || message
    # without approvals)
    bare: Message = type(message)()
    bare.MergeFrom(message)
    bare.ClearField("approvals")
    name = message.DESCRIPTOR.name.encode("ascii")
    encoded = serialize_message(bare, "approved message")
    return APPROVAL_TAG + chain + sha256(name + b"\0" + encoded).digest()


def check_transfer(message: Transfer) -> None:
    """Refuse what no transfer may say."""
    require_id(message.recipient, "recipient")
    require(message.amount > 0, ResultCode.FIELD_REFUSED, "a transfer of nothing")
    require(len(message.memo) <= MAX_MEMO, ResultCode.FIELD_REFUSED, "a memo of over 64 bytes")


def transfer(context: Context, message: Transfer) -> None:
    """Move money from the signer to the recipient."""
    debit(context, context.signer, message.asset, message.amount)
    credit(context.state, message.recipient, message.asset, message.amount)


def check_mint(message: Mint) -> None:
    """Refuse what no mint may say."""
    require(
        1 <= len(message.outputs) <= MAX_OUTPUTS,
        ResultCode.FIELD_REFUSED,
        f"a mint has 1 to {MAX_OUTPUTS} outputs",
    )
    for output in message.outputs:
        require_id(output.account, "account")
        require(output.amount > 0, ResultCode.FIELD_REFUSED, "a mint of nothing")
    _check_approvals(message.approvals)


def mint(context: Context, message: Mint) -> None:
    """Make money, as enough governors approve."""
    record = _asset(context, message.asset)
    require(
        message.number == record.mints,
        ResultCode.MINT_NUMBER,
        f"the asset has had {record.mints} mints",
    )
    _require_approved(context, message, message.approvals)
    total = sum(output.amount for output in message.outputs)
    require(
        record.minted + total <= MAX_AMOUNT,
        ResultCode.AMOUNT_OVERFLOW,
        "of an asset there are never 2^64 units",
    )
    record.minted += total
    record.mints += 1
    context.state.write(asset_key(message.asset), record)
    for output in message.outputs:
        credit(context.state, output.account, message.asset, output.amount)
    context.emit(EVENT_KIND_MINTED, message.asset.to_bytes(4, "big"), total)


def check_create_asset(message: CreateAsset) -> None:
    """Refuse what no new asset may be."""
    try:
        check_asset(message.asset)
    except MalformedError as error:
        raise RefusalError(ResultCode.FIELD_REFUSED, error.message) from error
    _check_approvals(message.approvals)


def create_asset(context: Context, message: CreateAsset) -> None:
    """Begin an asset, of which there is nothing yet."""
    key = asset_key(message.asset.id)
    require(
        context.state.get(key) is None,
        ResultCode.ASSET_EXISTS,
        f"there is an asset {message.asset.id}",
    )
    _require_approved(context, message, message.approvals)
    context.state.write(key, AssetRecord(asset=message.asset))


def check_set_spending_cap(message: SetSpendingCap) -> None:
    """Refuse what no cap may be."""
    require(
        1 <= message.period <= MAX_BLOCKS,
        ResultCode.FIELD_REFUSED,
        f"a cap's period is 1 to {MAX_BLOCKS} blocks",
    )


def set_spending_cap(context: Context, message: SetSpendingCap) -> None:
    """Cap what may leave the signer's account: lower at once, higher after the delay."""
    state, height = context.state, context.height
    _asset(context, message.asset)
    key = cap_key(context.signer, message.asset)
    stored = state.read(CapRecord, key)
    if stored is None:
        account = ensure_account(state, context.signer)
        write_account(state, context.signer, account._replace(flags=account.flags | HAS_CAP))
        state.write(key, CapRecord(amount=message.amount, period=message.period))
        return
    cap = acting_cap(stored, height)
    if message.amount <= cap.amount and message.period >= cap.period:
        state.write(
            key,
            CapRecord(
                amount=message.amount, period=message.period, window=cap.window, spent=cap.spent
            ),
        )
        return
    cap.next_amount, cap.next_period = message.amount, message.period
    cap.next_height = height + context.parameters.cap_delay
    state.write(key, cap)


def _asset(context: Context, asset: int) -> AssetRecord:
    record = context.state.read(AssetRecord, asset_key(asset))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_ASSET, f"there is no asset {asset}")
    return record


def _check_approvals(approvals: Sequence[Approval]) -> None:
    keys = [approval.key for approval in approvals]
    require(
        keys == sorted(set(keys)) and len(keys) <= MAX_APPROVALS,
        ResultCode.FIELD_REFUSED,
        f"approvals are ascending by key, each once, {MAX_APPROVALS} at most",
    )


def _require_approved(
    context: Context, message: Mint | CreateAsset, approvals: Sequence[Approval]
) -> None:
    governors = context.state.read(Governors, GOVERNORS_KEY)
    if governors is None:
        raise CorruptStoreError("the state has no governors")
    payload = _approved(context.chain, message)
    keys = set(governors.keys)
    for approval in approvals:
        # Their keys were checked when the genesis was.
        require(
            approval.key in keys and is_signed(approval.key, approval.signature, payload),
            ResultCode.NOT_APPROVED,
            "an approval is not a governor's",
        )
    require(
        0 < governors.threshold <= len(approvals),
        ResultCode.NOT_APPROVED,
        f"{len(approvals)} approvals; it takes {governors.threshold}"
        if governors.threshold
        else "the chain has no governors",
    )


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("transfer", Transfer, check_transfer, transfer),
    Action("mint", Mint, check_mint, mint),
    Action("create_asset", CreateAsset, check_create_asset, create_asset),
    Action("set_spending_cap", SetSpendingCap, check_set_spending_cap, set_spending_cap),
)
