"""Admission: which transactions may wait for a block.

Form and signature are checked once, here or when a block that holds the transaction comes
from elsewhere, and remembered until the transaction is in a block. What is checked of the
state is what keeps strangers' garbage out: an account, its next sequence, the fee.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.account import IS_POOL, Account
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.execution import check_form, check_sequence
from ledger.chain.machine.proposal import Admission
from ledger.chain.machine.signatures import SignatureChecker
from ledger.chain.transaction import Transaction, parse_transaction
from ledger.schema.chain_pb2 import Parameters

MAX_REMEMBERED: Final = 200_000
"""Transactions whose signature is remembered; beyond it they are checked again."""

AccountReader = Callable[[bytes], Account | None]


@dataclass(frozen=True, slots=True)
class Known:
    """Bytes that were looked at: a transaction and whether its signature is good, or why not."""

    id: bytes
    transaction: Transaction | None = field(repr=False)
    signed: bool = False
    refusal: RefusalError | None = None


class Admissions:
    """What is known of the transactions that wait, for one chain."""

    def __init__(self, chain: bytes, parameters: Parameters, checker: SignatureChecker) -> None:
        self._chain = chain
        self._parameters = parameters
        self._checker = checker
        self._known: dict[bytes, Known] = {}
        self._next: dict[bytes, int] = {}

    def look_at(self, transactions: Sequence[bytes]) -> list[Known]:
        """Parse transactions and check their signatures, as far as that was not done before."""
        known = self._known
        found = [known.get(encoded) or self._parse(encoded) for encoded in transactions]
        unchecked = [
            place
            for place, each in enumerate(found)
            if each.transaction is not None and not each.signed and each.refusal is None
        ]
        claims = [parsed.claim for place in unchecked if (parsed := found[place].transaction)]
        for place, signed in zip(unchecked, self._checker.check(claims), strict=True):
            each = found[place]
            refusal = None if signed else _unsigned()
            found[place] = Known(each.id, each.transaction, signed, refusal)
        return found

    def admit(
        self, transactions: Sequence[bytes], height: int, account: AccountReader
    ) -> list[Admission]:
        """Say which of these may wait for the block at ``height`` or a later one.

        ``account`` reads accounts as the newest block left them. Of several transactions
        of one account each has the next sequence.
        """
        parsed = [self._known.get(encoded) or self._parse(encoded) for encoded in transactions]
        accounts: dict[bytes, Account] = {}
        hopeful: list[bytes] = []
        verdicts: list[RefusalError | None] = []
        for encoded, each in zip(transactions, parsed, strict=True):
            refusal = each.refusal or self._refusal(each.transaction, height, account, accounts)
            verdicts.append(refusal)
            if refusal is None:
                hopeful.append(encoded)
        signed = iter(self.look_at(hopeful))
        admissions = []
        for encoded, each, verdict in zip(transactions, parsed, verdicts, strict=True):
            refusal, admitted = verdict, each
            if refusal is None:
                admitted = next(signed)
                refusal = admitted.refusal or self._take_turn(admitted.transaction, accounts)
            if refusal is not None:
                admissions.append(Admission(each.id, refusal.code, str(refusal)))
                continue
            if len(self._known) < MAX_REMEMBERED:
                self._known[encoded] = admitted
            admissions.append(Admission(each.id, ResultCode.OK))
        return admissions

    def settle(self, transactions: Sequence[bytes], refused: bool) -> None:
        """Forget transactions that are in a block, or were refused for one."""
        for encoded in transactions:
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

    def _refusal(
        self,
        transaction: Transaction | None,
        height: int,
        read: AccountReader,
        accounts: dict[bytes, Account],
    ) -> RefusalError | None:
        """Why a transaction has no chance, by what the newest block left."""
        if transaction is None:
            return None
        try:
            if transaction.expiry_height < height:
                raise RefusalError(ResultCode.EXPIRED, f"block {height} is next")
            if transaction.fee < self._parameters.min_fee:
                raise RefusalError(
                    ResultCode.FEE_TOO_LOW, f"a fee is {self._parameters.min_fee} or more"
                )
            found = accounts.get(transaction.signer) or read(transaction.signer)
            if found is None:
                raise RefusalError(ResultCode.UNKNOWN_ACCOUNT, "nothing was ever paid to it")
            accounts[transaction.signer] = found
            if found.flags & IS_POOL:
                raise RefusalError(ResultCode.POOL_ACCOUNT, "no key signs for a pool")
            if transaction.sequence < found.sequence:
                check_sequence(transaction.sequence, found.sequence)
        except RefusalError as refusal:
            return refusal
        return None

    def _take_turn(
        self, transaction: Transaction | None, accounts: dict[bytes, Account]
    ) -> RefusalError | None:
        if transaction is None:
            return None
        signer = transaction.signer
        stored = accounts[signer].sequence
        try:
            check_sequence(transaction.sequence, max(stored, self._next.get(signer, stored)))
        except RefusalError as refusal:
            return refusal
        self._next[signer] = transaction.sequence + 1
        return None


def _unsigned() -> RefusalError:
    return RefusalError(ResultCode.WRONG_SIGNATURE, "the signature is not the signer's")
