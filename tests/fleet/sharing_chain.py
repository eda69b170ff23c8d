"""A chain in a home of its own, with its engine at work; what it says is read with proof."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.audit.isolated import audit_chain
from ledger.chain.audit.request import ChainAuditRequest
from ledger.chain.codes import ResultCode
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.service import Dropped
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.genesis import Genesis
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.trust import Trust
from ledger.chain.machine.writer import create_chain
from ledger.chain.state_keys import (
    account_key,
    channel_key,
    grant_key,
    offer_key,
    withdrawn_key,
)
from ledger.chain.transaction import sign_transaction
from ledger.ed25519 import PrivateKey
from ledger.exchange.grant import Grant
from ledger.fsck.findings import AuditReport, Depth
from ledger.published import published_directory
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_payment_pb2 import Asset
from ledger.schema.chain_pb2 import Allocation, Parameters
from ledger.schema.chain_pb2 import Genesis as GenesisMessage
from ledger.schema.chain_sharing_pb2 import OfferRecord
from tests.ledger.chain.rules.chain_world import account_of, body_of, name_attachments

M = TypeVar("M", bound=Message)

RICH: Final = 10**12
FEE: Final = 1
CHAIN_ORIGIN: Final = "chain.example/sharing"
NEVER: Final = 1 << 40
PATIENCE_S: Final = 60.0


class SharingChain:
    """Transactions to it, records of it, its audit; also a `SaleChain`, as sellers see it."""

    def __init__(self, root: Path, held: ExitStack, rich: Sequence[bytes]) -> None:
        """``rich`` are the accounts that have money at first. ``held`` closes it all."""
        self.root: Final = root
        self.genesis: Final = _genesis(*rich)
        self.chain: Final = self.genesis.chain
        vkey = create_chain(root / "chain", self.genesis)
        self.trust: Final = Trust(self.chain, (vkey,))
        settings = EngineSettings(block_period_s=0.0, signature_processes=0)
        self.engine: Final = held.enter_context(EmbeddedEngine.open(root / "chain", settings))
        self._names = 0

    # Transactions

    def must(self, key: PrivateKey, message: Message, attachments: Sequence[bytes] = ()) -> None:
        """Have an action carried out."""
        code = self.do(key, message, attachments)
        assert code == ResultCode.OK, code

    def do(
        self, key: PrivateKey, message: Message, attachments: Sequence[bytes] = ()
    ) -> ResultCode:
        """Submit an action and wait; what became of it."""
        body = body_of(
            message, sequence=self.sequence(account_of(key)), expiry_height=NEVER, fee=FEE
        )
        body.attachments.extend(name_attachments(attachments))
        return self.submit(sign_transaction(self.chain, key, body), attachments)

    def submit(self, encoded: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        """Submit a transaction and wait; what became of it. A refusal moves no money."""
        given = {sha256(each).digest(): each for each in attachments}
        before = self.engine.info().height
        (admitted,) = self.engine.submit([encoded], given)
        if not admitted.ok:
            return admitted.code
        (outcome,) = self.engine.wait_all([admitted.id], PATIENCE_S)
        if isinstance(outcome, Dropped):
            return outcome.code
        assert outcome.height > before
        return ResultCode(outcome.code)

    # What the chain says, each with its proof

    def read(self, kind: type[M], key: bytes) -> M | None:
        value = self.row(key)
        return None if value is None else kind.FromString(value)

    def row(self, key: bytes) -> bytes | None:
        return verify_answer(self.engine.answer(key), key, self.trust).value

    def account(self, name: bytes) -> Account | None:
        row = self.row(account_key(name))
        return None if row is None else Account.decode(row)

    def sequence(self, name: bytes) -> int:
        account = self.account(name)
        return account.sequence if account else 0

    def balance(self, name: bytes) -> int:
        account = self.account(name)
        return account.amount(0) if account else 0

    def grant(self, grant: bytes) -> Grant | None:
        record = self.read(GrantRecord, grant_key(grant))
        return None if record is None else Grant.of_record(self.chain, grant, record)

    def channel(self, channel: bytes) -> ChannelRecord | None:
        return self.read(ChannelRecord, channel_key(channel))

    def is_withdrawn(self, grant: Grant) -> bool:
        record = self.read(GrantRecord, grant_key(grant.grant))
        offer = record and self.read(OfferRecord, offer_key(record.offer))
        return not offer or self.row(withdrawn_key(offer.origin, offer.record_id)) is not None

    def height(self) -> int:
        return self.engine.info().height

    # The books

    def audit(self, robots: tuple[Path, ...]) -> AuditReport:
        """The whole audit: blocks carried out again, books, and the robots' homes."""
        request = ChainAuditRequest(
            self.root / "chain",
            published_directory(),
            Depth.LOG,
            robots=robots,
        )
        return audit_chain(request)

    def name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"


def _genesis(*rich: bytes) -> Genesis:
    return Genesis.make(
        GenesisMessage(
            version=1,
            origin=CHAIN_ORIGIN,
            time_ns=1_700_000_000_000_000_000,
            parameters=Parameters(
                min_fee=FEE,
                treasury=account_of(PrivateKey.from_seed(b"t" * 32)),
                max_block_transactions=100,
                max_block_bytes=1 << 20,
                cap_delay=10,
                recovery_delay=10,
                max_overlap=10,
                min_challenge=2,
            ),
            assets=[Asset(id=0, symbol="QPU", decimals=2)],
            allocations=[
                Allocation(account=account, asset=0, amount=RICH) for account in sorted(rich)
            ],
        )
    )
