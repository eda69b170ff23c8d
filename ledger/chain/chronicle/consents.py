"""Consents, withdrawals and what was shown of erasures, as their transactions tell them.

A withdrawal counts once the robot or its fleet has acknowledged the consent, before or
after; it is over for a record when whoever withdrew has granted anew, in a later block,
and that is acknowledged (`ledger.chain.withdrawn` has the rule).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.chain.chronicle.facts import ConsentFact, Moment
from ledger.chain.ids import consent_id
from ledger.chain.transaction import Transaction
from ledger.errors import LedgerError
from ledger.experience.entry import Erasure, parse_entry

Named = tuple[str, bytes]
"""A record: the origin of its log, and its id."""


@dataclass(slots=True)
class Withdrawal:
    """That consent of a record is withdrawn, from a block on, and up to one if it was lifted."""

    record: Named
    consent: bytes
    grantor: bytes
    subject: bytes
    height: int
    """Of the block that withdrew it; it may count from a later one on."""
    first: int
    last: int = 0

    def counts_at(self, height: int) -> bool:
        """Whether a block of this height had it behind it for certain, and not its end."""
        return self.first < height and (not self.last or height < self.last)


class ConsentFacts:
    """Takes transactions that were carried out, and acknowledgements as results tell them."""

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self.consents: dict[bytes, ConsentFact] = {}
        self.withdrawals: dict[Named, list[Withdrawal]] = {}

    def take(self, at: Moment, transaction: Transaction) -> None:
        """Take the next transaction, of any kind."""
        message: Any = transaction.message
        if transaction.action == "grant_consent":
            name = consent_id(self._chain, transaction.signer, transaction.sequence)
            self.consents[name] = ConsentFact(
                id=name,
                grantor=transaction.signer,
                subject=message.subject,
                origin=message.origin,
                records=tuple(message.record_id),
                purpose=message.purpose,
                expiry_height=message.expiry_height,
                at=at,
            )
        elif transaction.action == "withdraw_consent":
            consent = self.consents.get(message.consent)
            if consent is not None:
                consent.withdrawn = at
                if consent.acknowledged is not None:
                    self.mark(at, consent)
        elif transaction.action == "report_erasure":
            self._report(at, message)

    def acknowledge(self, at: Moment, name: bytes) -> None:
        """Take an acknowledgement: of a consent as it was granted, or of an older one."""
        consent = self.consents.get(name)
        if consent is None or consent.acknowledged is not None:
            return
        consent.acknowledged = at
        if consent.withdrawn is not None:
            self.mark(at, consent)
            return
        for record_id in consent.records:
            for each in self.open_of((consent.origin, record_id)):
                who = each.grantor, each.subject
                if who == (consent.grantor, consent.subject) and each.height < consent.at.height:
                    each.last = at.height

    def open_of(self, record: Named) -> list[Withdrawal]:
        """The withdrawals of a record that count now, by who made them."""
        found = [each for each in self.withdrawals.get(record, ()) if not each.last]
        return sorted(found, key=lambda each: (each.grantor, each.subject))

    def mark(self, at: Moment, consent: ConsentFact) -> None:
        """Write down that a withdrawal counts, in the place of an older one of the same."""
        height = consent.withdrawn.height if consent.withdrawn else at.height
        for record_id in consent.records:
            record = consent.origin, record_id
            withdrawal = Withdrawal(
                record, consent.id, consent.grantor, consent.subject, height, at.height
            )
            for each in self.open_of(record):
                if (each.grantor, each.subject) == (consent.grantor, consent.subject):
                    # One that went on: it counts since it did, under the newer name.
                    withdrawal.first = each.first
                    self.withdrawals[record].remove(each)
            self.withdrawals.setdefault(record, []).append(withdrawal)

    def _report(self, at: Moment, message: Any) -> None:
        consent = self.consents.get(message.consent)
        try:
            kind = parse_entry(message.entry).kind
        except LedgerError:
            return
        if consent is not None and isinstance(kind, Erasure):
            covered = set(kind.record_ids).intersection(consent.records)
            consent.shown.append((at, len(covered - consent.erased)))
            consent.erased.update(covered)
