"""A transaction signed, submitted and waited for: what every verb that changes a chain does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import click

from ledger.chain.as_json import code_name
from ledger.chain.body import Message, body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import Inclusion
from ledger.chain.transaction import sign_transaction
from ledger.cli.amounts import parse_amount
from ledger.cli.chain_access import ChainAccess, ChainWork, chain_option
from ledger.cli.chain_names import fee_asset
from ledger.cli.failure import advice
from ledger.cli.main import Function
from ledger.ed25519 import PrivateKey
from ledger.schema import chain_pb2
from ledger.wallet.wallet import Wallet

DEFAULT_WALLET: Final = Path("~/.quipu-wallet")
EXPIRY_BLOCKS: Final = 1_000
"""For how many blocks a transaction may wait."""
WAIT_S: Final = 60.0


_ADVICE: Final = {
    ResultCode.INSUFFICIENT_FUNDS: "`quipu wallet balance` shows what there is",
    ResultCode.UNKNOWN_ACCOUNT: "have something paid to the account that signs first",
    ResultCode.OVER_CAP: "`quipu chain query cap ACCOUNT ASSET` shows the cap",
    ResultCode.FEE_TOO_LOW: "`quipu chain status` shows the least fee",
    ResultCode.NOT_ALLOWED: "sign with the wallet that may: --wallet",
    ResultCode.EXPIRED: "run it again",
    ResultCode.UNKNOWN_FLEET: "`quipu chain fleet create` founds one; mind how it is spelt",
    ResultCode.CONTRACT_OVER: "`quipu contract explain ID` shows how it stands",
    ResultCode.OFFER_STATE: "`quipu chain query offer ID` shows how it stands",
    ResultCode.CONSENT_WITHDRAWN: "somebody who was recorded withdrew it: nothing of this is sold",
    ResultCode.MODEL_EXISTS: "`quipu lineage ENTRY` shows how it is registered",
    ResultCode.REVOCATION_EPOCH: "`quipu chain query fleet FLEET` shows the newest epoch",
    ResultCode.SEQUENCE_PAST: "another transaction of this account came first: run it again",
    ResultCode.SEQUENCE_AHEAD: "another transaction of this account came first: run it again",
}


class Signer(Protocol):
    """Who signs: a wallet, or a key."""

    @property
    def account(self) -> bytes:
        """The account that it signs for."""
        ...

    def sign(self, chain: bytes, body: chain_pb2.TransactionBody) -> bytes:
        """A transaction with this body."""
        ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A key that signs, such as a robot's."""

    key: PrivateKey

    @property
    def account(self) -> bytes:
        """The account of the key."""
        return bytes(self.key.public_key)

    def sign(self, chain: bytes, body: chain_pb2.TransactionBody) -> bytes:
        """A transaction with this body."""
        return sign_transaction(chain, self.key, body)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a transaction costs, and who pays for it."""

    fee: str | None = None
    """As it was written; None: the least there is."""
    sponsor: bytes = b""


def wallet_option(function: Function) -> Function:
    """Add ``--wallet``."""
    return click.option(
        "--wallet",
        "wallet_folder",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="The wallet's folder [QUIPU_WALLET, else ~/.quipu-wallet].",
    )(function)


def wallet_root(chosen: Path | None) -> Path:
    """The folder that ``--wallet`` or the environment names."""
    return (chosen or Path(os.environ.get("QUIPU_WALLET") or DEFAULT_WALLET)).expanduser()


def open_wallet(chosen: Path | None) -> Wallet:
    """The wallet. Raises KeyStoreError where there is none."""
    with advice("bring the wallet's folder back from a copy"):
        return Wallet.open(wallet_root(chosen))


def transaction_options(function: Function) -> Function:
    """Add ``--chain``, ``--wallet`` and ``--fee``: for verbs that sign a transaction."""
    function = click.option("--fee", help="What to pay for it [the least there is].")(function)
    return chain_option(wallet_option(function))


def fee_of(access: ChainAccess, terms: Terms) -> int:
    """What a transaction on these terms costs, in the smallest units."""
    if terms.fee is None:
        return access.genesis.parameters.min_fee
    return parse_amount(terms.fee, fee_asset(access.genesis).decimals)


def carry_out(
    work: ChainWork,
    signer: Signer,
    message: Message | Callable[[int], Message],
    terms: Terms | None = None,
    hints: Mapping[ResultCode, str] | None = None,
) -> Inclusion:
    """Have ``message`` carried out, and wait until that is durable.

    ``message`` may be a function of the transaction's sequence, for what is named by it.
    ``hints`` say what to do about a refusal where the verb knows better than its code.
    Raises RefusalError with a hint for people, and what the engine raises.
    """
    terms = terms or Terms()
    account = work.account(signer.account)
    sequence = account.sequence if account else 0
    asked = message(sequence) if callable(message) else message
    body = body_asking(
        asked,
        sequence=sequence,
        expiry_height=work.service.info().height + EXPIRY_BLOCKS,
        fee=fee_of(work, terms),
        sponsor=terms.sponsor,
    )
    encoded = signer.sign(work.chain, body)
    try:
        (admission,) = work.service.submit([encoded])
        if not admission.ok:
            raise RefusalError(admission.code, admission.words)
        included = work.service.wait(admission.id, WAIT_S)
        if included.code:
            raise RefusalError(ResultCode(included.code), "a block has it, not carried out")
    except RefusalError as refusal:
        raise _refused(refusal, hints or {}) from refusal
    return included


def _refused(refusal: RefusalError, hints: Mapping[ResultCode, str]) -> RefusalError:
    """A refusal in words for people: what the chain says, and what to do."""
    words = refusal.message
    if words == refusal.code.name:
        words = code_name(refusal.code).replace("-", " ")
    known = {**_ADVICE, **hints}.get(refusal.code)
    hint = refusal.hint or known or f"nothing changed; its code is {refusal.code}"
    return RefusalError(refusal.code, f"the chain refused it: {words}", hint=hint)


def inclusion_json(included: Inclusion) -> dict[str, Any]:
    """Where a transaction is, for ``--json``."""
    return {"transaction": included.transaction.hex(), "height": included.height}


def where(included: Inclusion) -> str:
    """Where a transaction is, for people."""
    return f"block {included.height}, transaction {included.transaction.hex()}"
