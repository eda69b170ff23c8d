"""A chain at work: its state with proofs, its blocks, its receipts, and a way to ask for more.

What is read of the state and of receipts is proven. Blocks and their events are the engine's
word: whoever finds something by them reads it again from the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.chain.body import Message, body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import (
    NO_ATTACHMENTS,
    Block,
    BlockEvents,
    ChainService,
    NotIncludedError,
)
from ledger.chain.light.client import LightClient
from ledger.chain.light.receipt import VerifiedReceipt
from ledger.chain.light.trust import Trust
from ledger.chain.proven.kept_client import keep_client, read_client
from ledger.chain.proven.port import Signer
from ledger.chain.proven.state import ProvenState
from ledger.chain.state_keys import PARAMETERS_KEY
from ledger.errors import NotFoundError, VerificationError
from ledger.schema.canonical import parse_message
from ledger.schema.chain_pb2 import Parameters
from ledger.schema.chain_receipt_pb2 import Receipt

EXPIRY_BLOCKS: Final = 1_000
"""For how many blocks a transaction may wait."""
WAIT_S: Final = 30.0
"""How long `submit` waits for a block."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a transaction."""

    transaction: bytes
    """Its id."""
    code: ResultCode
    words: str = ""
    """Of a refusal, for people."""
    receipt: VerifiedReceipt | None = None
    """None for one that is in no block."""

    @property
    def ok(self) -> bool:
        """Whether it was carried out, durably."""
        return self.code is ResultCode.OK

    def require(self) -> Submitted:
        """The same, if it was carried out. Raises `RefusalError`."""
        if not self.ok:
            raise RefusalError(self.code, self.words or "a block has it, not carried out")
        return self


class ProvenChain(ProvenState):
    """One chain, through whatever serves it. Any thread may ask.

    Methods raise as the service does (`EngineError`), and MalformedError, VerificationError,
    `ChainForkError` for what is not proven.
    """

    def __init__(self, service: ChainService, trust: Trust, folder: Path | None = None) -> None:
        """``folder``, which exists, has what earlier processes knew, and `keep` adds to it.

        Raises CorruptStoreError for what there does not verify, StorageError.
        """
        super().__init__(service, read_client(folder, trust) if folder else LightClient(trust))
        self.service: Final = service
        self.trust: Final = trust
        self._folder: Final = folder

    def keep(self) -> None:
        """Have what is known of the chain outlive this process, if there is a folder for it.

        Raises StorageError.
        """
        if self._folder is not None:
            with self._one:
                keep_client(self._folder, self._client)

    @property
    def parameters(self) -> Parameters:
        """The chain's parameters now."""
        return self._now()[0]

    def height(self) -> int:
        """The newest height that is proven now."""
        return self._now()[1]

    def time_ns(self) -> int:
        """The time of the newest block, nanoseconds since 1970."""
        return self._now()[2]

    def sequence(self, account: bytes) -> int:
        """The next sequence of an account; 0 where nothing was ever paid to it."""
        found = self.account(account)
        return found.sequence if found else 0

    def balance(self, account: bytes, asset: int) -> int:
        """What an account has of an asset, in its smallest units."""
        found = self.account(account)
        return found.amount(asset) if found else 0

    def submit(
        self,
        encoded: bytes,
        attachments: Mapping[bytes, bytes] = NO_ATTACHMENTS,
        wait_s: float = WAIT_S,
    ) -> Submitted:
        """Offer a transaction, and wait until it is in a block, or is refused.

        The same bytes may be submitted again: they are carried out at most once. Raises
        `NotIncludedError` where its fate is not known in time.
        """
        (admission,) = self.service.submit([encoded], attachments)
        if not admission.ok:
            return Submitted(admission.id, admission.code, admission.words)
        try:
            self.service.wait(admission.id, wait_s)
        except RefusalError as refusal:
            return Submitted(admission.id, refusal.code, refusal.message)
        except NotFoundError as error:  # an engine that was started again meanwhile
            lost = self.receipt(admission.id)
            if lost is None:
                raise NotIncludedError(
                    "the chain has lost the transaction", hint="submit it again"
                ) from error
            return lost
        found = self.receipt(admission.id)
        if found is None:
            raise VerificationError("the chain says that it has a transaction, and does not")
        return found

    def receipt(self, transaction: bytes) -> Submitted | None:
        """What became of the transaction of this id, proven; None for one in no block."""
        with self._one:
            try:
                encoded = self.service.receipt(transaction)
            except NotFoundError:
                return None
            note = parse_message(Receipt, encoded, "receipt").checkpoint
            receipt = self._client.receipt(encoded, self._growth(note))
        if receipt.transaction.id != transaction:
            raise VerificationError("a receipt of another transaction than was asked for")
        try:
            code = ResultCode(receipt.result.code)
        except ValueError:  # a newer chain's
            code = ResultCode.NOT_ALLOWED
        return Submitted(transaction, code, receipt=receipt)

    def carry_out(self, signer: Signer, message: Message, sponsor: bytes = b"") -> Submitted:
        """Have ``message`` carried out for the least fee. Raises `RefusalError`."""
        parameters, height, _ = self._now()
        body = body_asking(
            message,
            sequence=self.sequence(signer.account),
            expiry_height=height + EXPIRY_BLOCKS,
            fee=parameters.min_fee,
            sponsor=sponsor,
        )
        return self.submit(signer.sign(self.chain, body)).require()

    def blocks(self, from_height: int, wait_s: float = 0.0) -> Iterator[BlockEvents]:
        """What happened in each block from a height on, to the newest; not proven.

        Waits for the first so long. Heights begin at 1.
        """
        height = max(1, from_height)
        while found := self.service.events(height, wait_s):
            yield from found
            height, wait_s = found[-1].height + 1, 0.0

    def block(self, height: int) -> Block:
        """A whole block, not proven. Raises NotFoundError."""
        return self.service.block(height)

    def _now(self) -> tuple[Parameters, int, int]:
        proven = self.prove(Parameters, PARAMETERS_KEY)
        if proven.record is None:
            raise VerificationError("the chain's state has no parameters")
        return proven.record, proven.header.height, proven.header.time_ns
