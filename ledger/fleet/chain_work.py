"""A chain as the fleet's preparation works with it: read with proof, one transaction at a time."""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from ledger.chain.account import FEE_ASSET, Account
from ledger.chain.body import Message, body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import ChainService
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.trust import Trust
from ledger.chain.state_keys import PARAMETERS_KEY, account_key
from ledger.errors import VerificationError
from ledger.schema.canonical import parse_message
from ledger.schema.chain_pb2 import Parameters, TransactionBody

EXPIRY_BLOCKS: Final = 1_000
WAIT_S: Final = 30.0

M = TypeVar("M", bound=Message)


class Signer(Protocol):
    """Who signs; `ledger.wallet.wallet.Wallet` does."""

    @property
    def account(self) -> bytes:
        """The account that it signs for."""
        ...

    def sign(self, chain: bytes, body: TransactionBody) -> bytes:
        """A transaction with this body."""
        ...


class ChainWork:
    """One chain at work. Methods raise as its service does, and VerificationError."""

    def __init__(self, service: ChainService, trust: Trust) -> None:
        self._service = service
        self._trust = trust

    @property
    def chain(self) -> bytes:
        """The chain's id."""
        return self._trust.chain

    def read(self, kind: type[M], key: bytes) -> M | None:
        """The record at a key, its proof checked."""
        value = verify_answer(self._service.answer(key), key, self._trust).value
        return None if value is None else parse_message(kind, value, kind.DESCRIPTOR.name)

    def account(self, name: bytes) -> Account:
        """An account; an empty one where nothing was ever paid to it."""
        key = account_key(name)
        row = verify_answer(self._service.answer(key), key, self._trust).value
        return Account() if row is None else Account.decode(row)

    def money(self, name: bytes) -> int:
        """What an account has of the asset that pays fees."""
        return self.account(name).amount(FEE_ASSET)

    @property
    def min_fee(self) -> int:
        """The least fee."""
        parameters = self.read(Parameters, PARAMETERS_KEY)
        if parameters is None:
            raise VerificationError("the chain's state has no parameters")
        return parameters.min_fee

    def carry_out(self, signer: Signer, message: Message) -> None:
        """Have ``message`` carried out, durably. Raises `RefusalError`, `NotIncludedError`."""
        body = body_asking(
            message,
            sequence=self.account(signer.account).sequence,
            expiry_height=self._service.info().height + EXPIRY_BLOCKS,
            fee=self.min_fee,
        )
        (admission,) = self._service.submit([signer.sign(self.chain, body)])
        if not admission.ok:
            raise RefusalError(admission.code, admission.words)
        code = self._service.wait(admission.id, WAIT_S).code
        if code:
            raise RefusalError(ResultCode(code), "a block has it, not carried out")
