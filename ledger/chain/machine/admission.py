"""Admission: which transactions may wait for a block.

Form and signature are checked once, here or when a block that holds the transaction comes
from elsewhere, and remembered until the transaction is in a block. What is checked of the
state is what keeps strangers' garbage out: an account, its next sequence, the fee.

Many threads may have transactions admitted at once. Reading and the checking of signatures
go on side by side; only the turns, which transaction of an account comes next, are taken
one thread after another.

Nobody can be charged for an anonymous request that is refused, and its proof takes
milliseconds: so no more of them may wait than a few blocks verify (`presentations`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ledger.chain.account import IS_POOL, Account, check_key
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.execution import (
    check_form,
    check_sequence,
    is_anonymous,
    own_attachments,
)
from ledger.chain.machine.presentations import MAX_ANONYMOUS
from ledger.chain.machine.proposal import Admission
from ledger.chain.machine.signatures import Checking, SignatureChecker
from ledger.chain.transaction import Transaction, parse_transaction
from ledger.schema.chain_pb2 import Parameters

MAX_REMEMBERED: Final = 200_000
"""Transactions whose signature is remembered; beyond it they are checked again."""

MAX_ANONYMOUS_WAITING: Final = 4 * MAX_ANONYMOUS
"""Anonymous requests that may wait at once: what four blocks take."""

_SLICE: Final = 256
"""Signatures are checked elsewhere in pieces of this many, while the next are parsed."""

AccountReader: TypeAlias = Callable[[bytes], Account | None]
Snapshot: TypeAlias = Callable[[], AbstractContextManager[tuple[int, AccountReader]]]
"""Opens the newest state: its height, and its accounts by name."""
Admitted: TypeAlias = Callable[[Sequence[tuple[bytes, Admission]]], None]
"""Is told of the transactions that may wait, before anybody else's turn."""


@dataclass(frozen=True, slots=True)
class Known:
    """Bytes that were looked at: a transaction and whether its signature is good, or why not."""

    id: bytes
    transaction: Transaction | None = field(repr=False)
    signed: bool = False
    refusal: RefusalError | None = None


class Looking:
    """Transactions of a block that were parsed, and whose signatures are being checked."""

    __slots__ = ("_checking", "_found", "_places", "transactions")

    def __init__(
        self,
        transactions: Sequence[bytes],
        found: list[Known],
        places: Sequence[int],
        checking: Checking,
    ) -> None:
        self.transactions = transactions
        self._found = found
        self._places = places
        self._checking: Checking | None = checking

    def parsed(self) -> Sequence[Known]:
        """What is known without the signatures."""
        return self._found

    def known(self) -> list[Known]:
        """All there is to know of them, in their order; waits for the signatures."""
        if self._checking is not None:
            _put_verdicts(self._found, self._places, self._checking)
            self._checking = None
        return self._found


class Admissions:
    """What is known of the transactions that wait, for one chain. For many threads."""

    def __init__(self, chain: bytes, parameters: Parameters, checker: SignatureChecker) -> None:
        self._chain = chain
        self._parameters = parameters
        self._checker = checker
        self._lock = threading.Lock()
        self._known: dict[bytes, Known] = {}
        self._next: dict[bytes, int] = {}
        self._anonymous: set[bytes] = set()

    def look_at(self, transactions: Sequence[bytes]) -> list[Known]:
        """Parse transactions and check their signatures, as far as that was not done before."""
        return self.begin_look(transactions).known()

    def begin_look(self, transactions: Sequence[bytes]) -> Looking:
        """Begin with what `look_at` does."""
        known = self._known
        found = [known.get(encoded) or self._parse(encoded) for encoded in transactions]
        return Looking(transactions, found, *self._begin(found))

    def admit(
        self,
        transactions: Sequence[bytes],
        snapshot: Snapshot,
        attachments: Mapping[bytes, bytes],
        admitted: Admitted,
    ) -> list[Admission]:
        """Say which of these may wait for the next block or a later one.

        Of several transactions of one account each has the next sequence.
        """
        looked: list[Known] = []
        checks: list[tuple[list[int], Checking]] = []
        sequences: dict[bytes, int] = {}
        for start in range(0, len(transactions), _SLICE):
            with snapshot() as (height, read):
                part = [
                    self._hopeful(encoded, height + 1, read, attachments, sequences)
                    for encoded in transactions[start : start + _SLICE]
                ]
            checks.append(self._begin(part, len(looked)))
            looked += part
        for places, checking in checks:
            _put_verdicts(looked, places, checking)
        with self._lock:
            looked = [self._take_turn(each, sequences, snapshot) for each in looked]
            verdicts = [_verdict(each) for each in looked]
            good = []
            for encoded, each, verdict in zip(transactions, looked, verdicts, strict=True):
                if each.refusal is None:
                    good.append((encoded, verdict))
                    if len(self._known) < MAX_REMEMBERED:
                        self._known[encoded] = each
            admitted(good)
        return verdicts

    def is_anonymous(self, encoded: bytes) -> bool:
        """Whether this is an anonymous request, of which a block holds `MAX_ANONYMOUS`."""
        transaction = (self._known.get(encoded) or self._parse(encoded)).transaction
        return transaction is not None and is_anonymous(transaction)

    def settle(self, transactions: Sequence[bytes], refused: bool) -> None:
        """Forget transactions that are in a block, or were refused for one."""
        with self._lock:
            for encoded in transactions:
                self._anonymous.discard(encoded)
                known = self._known.pop(encoded, None)
                if known is None or known.transaction is None:
                    continue
                signer, after = known.transaction.signer, known.transaction.sequence + 1
                if refused or self._next.get(signer, after) <= after:
                    self._next.pop(signer, None)

    def _parse(self, encoded: bytes) -> Known:
        try:
            transaction = parse_transaction(self._chain, encoded)
            check_form(transaction)
        except RefusalError as refusal:
            return Known(leaf_id(LeafKind.TRANSACTION, encoded), None, refusal=refusal)
        return Known(transaction.id, transaction)

    def _hopeful(
        self,
        encoded: bytes,
        height: int,
        read: AccountReader,
        attachments: Mapping[bytes, bytes],
        sequences: dict[bytes, int],
    ) -> Known:
        """Parse a transaction, and refuse it if it has no chance by what the newest block left."""
        known = self._known.get(encoded) or self._parse(encoded)
        transaction = known.transaction
        if transaction is None:
            return known
        parameters, signer = self._parameters, transaction.claim.key
        try:
            if transaction.expiry_height < height:
                raise RefusalError(ResultCode.EXPIRED, f"block {height} is next")
            if transaction.fee < parameters.min_fee:
                raise RefusalError(ResultCode.FEE_TOO_LOW, f"a fee is {parameters.min_fee} or more")
            # An account with a transaction that waits was looked at when that came.
            if signer not in self._next and signer not in sequences:
                account = read(signer)
                if account is None:
                    if not is_anonymous(transaction):
                        raise RefusalError(
                            ResultCode.UNKNOWN_ACCOUNT, "nothing was ever paid to it"
                        )
                    check_key(signer)
                    account = Account()
                if account.flags & IS_POOL:
                    raise RefusalError(ResultCode.POOL_ACCOUNT, "no key signs for a pool")
                sequences[signer] = account.sequence
            if transaction.sequence < sequences.get(signer, 0):
                check_sequence(transaction.sequence, sequences[signer])
            own_attachments(transaction.attachments, attachments)
        except RefusalError as refusal:
            return Known(known.id, transaction, known.signed, refusal)
        return known

    def _begin(self, found: Sequence[Known], first: int = 0) -> tuple[list[int], Checking]:
        """Begin to check the signatures that are not known to be good; their places."""
        places, claims = [], []
        for place, each in enumerate(found, first):
            if each.transaction is not None and not each.signed and each.refusal is None:
                places.append(place)
                claims.append(each.transaction.claim)
        return places, self._checker.begin(claims)

    def _take_turn(self, known: Known, sequences: Mapping[bytes, int], snapshot: Snapshot) -> Known:
        transaction = known.transaction
        if transaction is None or known.refusal is not None:
            return known
        signer = transaction.claim.key
        expected = self._next.get(signer)
        if expected is None:
            expected = sequences.get(signer)
            if expected != transaction.sequence:
                # Blocks may have come since this account was read.
                with snapshot() as (_, read):
                    account = read(signer)
                expected = account.sequence if account else 0
        try:
            check_sequence(transaction.sequence, expected)
            if is_anonymous(transaction):
                if len(self._anonymous) >= MAX_ANONYMOUS_WAITING:
                    raise RefusalError(
                        ResultCode.MEMPOOL_FULL,
                        "too many anonymous requests wait already (try again later)",
                    )
                self._anonymous.add(transaction.encoded)
        except RefusalError as refusal:
            return Known(known.id, transaction, known.signed, refusal)
        self._next[signer] = transaction.sequence + 1
        return known


def _put_verdicts(looked: list[Known], places: Sequence[int], checking: Checking) -> None:
    for place, signed in zip(places, checking.result(), strict=True):
        each = looked[place]
        refusal = None if signed else _unsigned()
        looked[place] = Known(each.id, each.transaction, signed, refusal)


def _verdict(known: Known) -> Admission:
    refusal = known.refusal
    if refusal is None:
        return Admission(known.id, ResultCode.OK)
    return Admission(known.id, refusal.code, str(refusal))


def _unsigned() -> RefusalError:
    return RefusalError(ResultCode.WRONG_SIGNATURE, "the signature is not the signer's")
