"""A block's proofs are verified together, and come to what each does by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.audit.rule_replay import RuleReplay
from ledger.chain.codes import ResultCode
from ledger.chain.machine import presentations
from ledger.chain.machine.admission import MAX_ANONYMOUS_WAITING
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.presentations import MAX_ANONYMOUS
from ledger.chain.machine.proposal import Proposal, Verdict
from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.presentations import Claim, verify_claims
from ledger.chain.quality_claim import QualityClaim
from ledger.chain.result import Result
from ledger.chain.rules import grant as rule
from ledger.chain.rules import quality_proofs
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.experience.kinds import CommitmentKind
from ledger.log import Log
from ledger.note import NoteSigner
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.machine.small_chain import published_in
from tests.ledger.chain.rules.chain_world import known_key
from tests.ledger.chain.rules.grant_world import GrantWorld, gaps, member
from tests.ledger.chain.rules.sharing_world import ROBOT, experience
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS
from tests.ledger.chain.state.naive_state import root_of
from zkproofs.credential import find_gap


class GrantMachine(GrantWorld):
    """A `GrantWorld`, which verifies each proof by itself; a machine and an audit live it too."""

    def __init__(self, folder: Path) -> None:
        self.block: list[tuple[bytes, Result]] = []
        super().__init__(uses=3)
        storage = MemoryStorage()
        operator = NoteSigner(self.genesis.origin, known_key("operator"))
        published = published_in(folder, self.genesis)
        log = Log.create(storage, self.genesis.origin, operator.verifier_key, published)
        start_chain(storage, log, self.genesis.encoded)
        self.machine = StateMachine(storage, log)
        self.audit = RuleReplay(self.genesis)
        self.end_block()

    def submit(self, encoded: bytes, attachments: Sequence[bytes] = ()) -> Result:
        result = super().submit(encoded, attachments)
        self.block.append((encoded, result))
        return result

    def record(self, key: PrivateKey | None = None, **fields: Any) -> int:
        """A log of one entry, anchored by a transaction."""
        index = self.log.append(replace(experience(), **fields), key)
        checkpoint = Checkpoint(ROBOT, 1, self.leaf(index))
        note = sign_checkpoint(checkpoint, [NoteSigner(ROBOT, self.seller)])
        self.must(self.key("bob"), AnchorCheckpoint(note=note))
        return index

    def proposal(self, transactions: Sequence[bytes]) -> Proposal:
        return Proposal(self.height, self.time_ns, list(transactions))

    def end_block(self) -> None:
        """Let machine and audit make the same of the block."""
        encoded = [encoded for encoded, _ in self.block]
        finalized = self.machine.finalize(self.proposal(encoded))
        assert [*finalized.results] == [result.encode() for _, result in self.block]
        assert finalized.header.state_root == root_of(self.rows())
        audited = self.audit.block(self.time_ns, encoded, lambda _: None)
        assert [each.result for each in audited.transactions] == [each for _, each in self.block]
        self.machine.commit()
        self.block = []
        self.advance()


@pytest.fixture
def world(tmp_path: Path) -> GrantMachine:
    return GrantMachine(tmp_path)


def test_a_block_of_good_and_bad_ones(world: GrantMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    good = [world.request(member(number), key=str(number)) for number in (50, 51)]
    late = world.request(member(52), key="52")
    codes = [
        world.submit(each).code
        for each in (
            good[0],
            world.altered(world.request(member(53), key="53"), key="53", purpose="research"),
            good[1],
            world.unproven("54"),
            world.altered(good[0], key="55"),
        )
    ]
    forged = ResultCode.CREDENTIAL_NOT_PROVEN
    assert codes == [0, forged, 0, forged, ResultCode.ALREADY_USED]
    # In one block with these: a key for which no proof could be verified before it.
    world.must(world.key("bob"), world.announced(2, key="the next"))
    assert world.submit(late).code == ResultCode.OK
    newest = member(56, key="the next")
    gap = find_gap(gaps(key="the next"), 56)
    fresh = world.request(newest, key="56", gap=gap, issuer_epoch=2)
    assert world.submit(fresh).code == ResultCode.OK
    alone: list[PresentationClaim] = []
    verify = rule.verify_claim

    def verify_alone(claim: PresentationClaim) -> bool:
        alone.append(claim)
        return verify(claim)

    monkeypatch.setattr(rule, "verify_claim", verify_alone)
    world.end_block()
    # By the machine, and by the audit.
    assert len(alone) == 2
    assert alone[0] == alone[1]
    assert alone[0].nullifier == fresh[fresh.index(alone[0].nullifier) :][:48]


def test_grants_and_offers_of_a_block_are_verified_in_one_batch(
    world: GrantMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    contracts = [world.deployed() for _ in range(3)]
    world.end_block()
    proofs = [
        [world.proof(world.index)],
        [world.proof(world.index, seller=bytes(32))],
        [world.proof(world.index, kind=CommitmentKind.LENGTH)],
    ]
    codes = [
        world.do(world.seller, world.posting(contract, world.index, qualities=each)).code
        for contract, each in zip(contracts, proofs, strict=True)
    ]
    codes.append(world.submit(world.request(key="with offers")).code)
    false = ResultCode.QUALITY_NOT_PROVEN
    assert codes == [ResultCode.OK, false, false, ResultCode.OK]

    batches: list[list[type]] = []

    def verify(claims: Sequence[Claim]) -> list[bool]:
        batches.append([type(each) for each in claims])
        return verify_claims(claims)

    def verify_alone(_: object) -> bool:
        raise AssertionError("a proof was verified by itself")

    monkeypatch.setattr(presentations, "verify_claims", verify)
    monkeypatch.setattr(rule, "verify_claim", verify_alone)
    monkeypatch.setattr(quality_proofs, "verify_claim", verify_alone)
    world.end_block()
    # By the machine, and by the audit; of the third offer there is nothing to verify.
    assert batches == [[QualityClaim, QualityClaim, PresentationClaim]] * 2


def test_a_block_holds_no_more_than_can_be_verified(world: GrantMachine) -> None:
    many = [world.unproven(f"flood {number}") for number in range(MAX_ANONYMOUS + 1)]
    prepared = world.machine.prepare(many, world.time_ns)
    assert prepared.considered == MAX_ANONYMOUS
    assert [encoded for encoded, _ in prepared.refused] == many[:MAX_ANONYMOUS]
    assert {admission.code for _, admission in prepared.refused} == {
        ResultCode.CREDENTIAL_NOT_PROVEN
    }
    assert world.machine.process(world.proposal(many)) is Verdict.REJECT
    good = world.request(key="good")
    assert world.machine.process(world.proposal([good])) is Verdict.ACCEPT


def test_what_a_block_had_no_time_for_is_not_verified_again(
    world: GrantMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[int] = []

    def verify(claims: Sequence[PresentationClaim]) -> list[bool]:
        verified.append(len(claims))
        return verify_claims(claims)

    monkeypatch.setattr(presentations, "verify_claims", verify)
    good = world.request(key="good")
    waiting = [*(world.unproven(f"flood {number}") for number in range(9)), good]
    for left in range(len(waiting), 1, -1):
        prepared = world.machine.prepare(waiting[-left:], world.time_ns, enough=lambda: True)
        assert prepared.considered == 1
        assert [admission.code for _, admission in prepared.refused] == [
            ResultCode.CREDENTIAL_NOT_PROVEN
        ]
    prepared = world.machine.prepare(waiting[-1:], world.time_ns)
    assert list(prepared.proposal.transactions) == [good]
    assert verified == [10]


def test_what_was_copied_off_the_chain_is_refused_unverified(
    world: GrantMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody pays for it, so that nothing that takes long may be done for it."""
    granted = world.request(key="granted")
    assert world.submit(granted).code == ResultCode.OK
    world.end_block()

    def verify(_: object) -> list[bool]:
        raise AssertionError("a proof was verified")

    monkeypatch.setattr(presentations, "verify_claims", verify)
    monkeypatch.setattr(rule, "verify_claim", verify)
    copies = [world.altered(granted, key=f"copy {number}") for number in range(3)]
    late = world.altered(world.unproven("late"), key="late", revocation_epoch=9)
    prepared = world.machine.prepare([*copies, late], world.time_ns)
    assert [admission.code for _, admission in prepared.refused] == [
        *[ResultCode.ALREADY_USED] * 3,
        ResultCode.REVOCATION_EPOCH,
    ]


def test_who_may_wait_without_an_account(world: GrantMachine) -> None:
    def admitted(*encoded: bytes) -> list[ResultCode]:
        return [each.code for each in world.machine.check(encoded)]

    good = world.request(key="good")
    assert admitted(good) == [ResultCode.OK]
    assert admitted(good) == [ResultCode.SEQUENCE_PAST]
    ahead = world.unproven("ahead", sequence=1)
    unsigned = world.unproven("unsigned")[:-1] + b"\0"
    short = world.unproven("short", presentation=b"")
    key = bytes(world.key("weak").public_key)
    weak = world.unproven("weak").replace(key, WEAK_KEYS[0])
    assert admitted(ahead, unsigned, short, weak) == [
        ResultCode.SEQUENCE_AHEAD,
        ResultCode.WRONG_SIGNATURE,
        ResultCode.CREDENTIAL_NOT_PROVEN,
        ResultCode.WEAK_KEY,
    ]
    flood = [world.unproven(f"flood {number}") for number in range(MAX_ANONYMOUS_WAITING)]
    *ok, last = admitted(*flood)
    assert set(ok) == {ResultCode.OK}
    assert last == ResultCode.MEMPOOL_FULL
    # Whoever has an account still gets in, and there is room again after a block.
    assert admitted(world.sign(world.key("bob"), world.announced(9))) == [ResultCode.OK]
    prepared = world.machine.prepare([good, *flood], world.time_ns)
    assert list(prepared.proposal.transactions) == [good]
    assert admitted(flood[-1]) == [ResultCode.OK]
