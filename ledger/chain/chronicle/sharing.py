"""Contracts, offers and grants, as their transactions tell them."""

from __future__ import annotations

from ledger.chain.chronicle.facts import (
    ContractFact,
    GrantFact,
    Moment,
    OfferFact,
    VersionFact,
)
from ledger.chain.ids import contract_id, grant_id, offer_id
from ledger.chain.presentation_claim import NULLIFIER_SIZE
from ledger.chain.transaction import Transaction
from ledger.errors import LedgerError
from ledger.experience.entry import Experience, parse_entry
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_consent_pb2 import ConfirmErasure
from ledger.schema.chain_grant_pb2 import PruneGrants, RequestGrant
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    DeployContract,
    PostOffer,
    QualityBound,
    WithdrawContract,
    WithdrawOffer,
)


class SharingFacts:
    """Takes transactions that were carried out. What they name and nobody told is passed over."""

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self.contracts: dict[bytes, ContractFact] = {}
        self.offers: dict[bytes, OfferFact] = {}
        self.grants: dict[bytes, GrantFact] = {}
        self.uses: dict[bytes, list[bytes]] = {}
        """The grants of each nullifier, oldest first; more than one is one too many."""
        self.pruned_uses: set[bytes] = set()
        self.by_key: dict[bytes, bytes] = {}
        """The grant of each one-time key."""

    def take(self, at: Moment, transaction: Transaction) -> None:
        """Take the next transaction, of any kind."""
        message = transaction.message
        match message:
            case DeployContract():
                name = contract_id(self._chain, transaction.signer, transaction.sequence)
                contract = ContractFact(name, message.fleet, message.name, at)
                contract.versions.append(_version(1, message, at))
                self.contracts[name] = contract
            case AmendContract():
                amended = self.contracts.get(message.contract)
                if amended is not None:
                    number = amended.versions[-1].number + 1 if amended.versions else 1
                    amended.versions.append(_version(number, message, at))
            case WithdrawContract():
                withdrawn = self.contracts.get(message.contract)
                if withdrawn is not None:
                    withdrawn.withdrawn_height = at.height
            case PostOffer():
                self._post(at, transaction.signer, message)
            case WithdrawOffer():
                offer = self.offers.get(message.offer)
                if offer is not None:
                    offer.withdrawn_height = at.height
            case RequestGrant():
                self._grant(at, transaction, message)
            case PruneGrants():
                self._prune(at, message)
            case ConfirmErasure():
                bought = self.grants.get(message.grant)
                if bought is not None:
                    bought.erased_height = at.height
            case _:
                pass

    def add_grant(self, grant: GrantFact) -> None:
        """Write a grant down, with its use."""
        self.grants[grant.id] = grant
        self.uses.setdefault(grant.nullifier, []).append(grant.id)
        self.by_key[grant.key] = grant.id

    def _post(self, at: Moment, signer: bytes, message: PostOffer) -> None:
        leaf = leaf_hash(message.entry)
        name = offer_id(self._chain, message.contract, leaf)
        before, contract = self.offers.get(name), self.contracts.get(message.contract)
        try:
            kind = parse_entry(message.entry).kind
        except LedgerError:
            kind = None
        experience = kind if isinstance(kind, Experience) else None
        self.offers[name] = OfferFact(
            id=name,
            contract=message.contract,
            version=contract.versions[-1].number if contract and contract.versions else 0,
            seller=signer,
            origin=message.origin,
            leaf=leaf,
            index=message.index,
            record=experience.record_id if experience else b"",
            content_root=experience.content_root if experience else b"",
            content_size=experience.content_size if experience else 0,
            qualities=_bounds(message, experience),
            at=at,
            tags=_tags(experience),
            experience=experience,
            postings=before.postings + 1 if before else 1,
        )

    def _grant(self, at: Moment, transaction: Transaction, message: RequestGrant) -> None:
        offer = self.offers.get(message.offer)
        contract = self.contracts.get(offer.contract) if offer else None
        version = contract.at_height(at.height) if contract else None
        if offer is None or contract is None or version is None:
            return
        self.add_grant(
            GrantFact(
                id=grant_id(self._chain, transaction.signer),
                offer=message.offer,
                contract=offer.contract,
                version=version.number,
                terms=version.terms,
                key=transaction.signer,
                fleet=message.fleet,
                purpose=message.purpose,
                nullifier=message.presentation[1 : 1 + NULLIFIER_SIZE],
                seller=offer.seller,
                content_root=offer.content_root,
                content_size=offer.content_size,
                expiry_height=at.height + version.terms.grant_lifetime,
                at=at,
                use=message.use,
                body=transaction.body,
            )
        )

    def _prune(self, at: Moment, message: PruneGrants) -> None:
        for name in message.grants:
            grant = self.grants.get(name)
            if grant is not None:
                grant.pruned_height = at.height
        self.pruned_uses.update(message.nullifiers)


def _version(number: int, message: DeployContract | AmendContract, at: Moment) -> VersionFact:
    return VersionFact(number, message.policy, message.terms, at.height)


def _tags(experience: Experience | None) -> tuple[str, ...]:
    tags = experience.tags if experience else ()
    return tuple(sorted({f"{tag.key}={tag.value}" for tag in tags}))


def _bounds(message: PostOffer, experience: Experience | None) -> tuple[QualityBound, ...]:
    """The bounds that were proven, with offset and scale of the commitments they are about."""
    scales = {
        (each.kind.value, each.source.value): (each.offset, each.scale)
        for each in (experience.commitments if experience else ())
    }
    bounds = []
    for proof in message.qualities:
        offset, scale = scales.get((proof.kind, proof.source), (0, 1))
        bounds.append(
            QualityBound(
                kind=proof.kind,
                source=proof.source,
                low=proof.low,
                high=proof.high,
                offset=offset,
                scale=scale,
            )
        )
    return tuple(bounds)
