"""A robot anchors itself: one transaction whatever happened in between, and no false one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.account import FEE_ASSET, Account
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.light.answer import verify_answer
from ledger.chain.machine.proposal import Admission
from ledger.chain.rules.robot import rotate_message
from ledger.chain.state_keys import (
    PARAMETERS_KEY,
    account_key,
    anchor_key,
    fleet_key,
    robot_key,
)
from ledger.home import create_home
from ledger.key_change import rotate_key
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.memory.anchoring.anchorer import Anchorer
from ledger.memory.anchoring.kept_anchor import keep_anchor, kept_anchor, last_anchor
from ledger.memory.control_client import ControlClient
from ledger.memory.control_server import ControlServer
from ledger.memory.owner import MemoryOwner
from ledger.note import SignedNote
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    RetireRobot,
    RotateKey,
    SetSponsorship,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.signing_keys import SigningKeys
from ledger.witnessing.evidence import ForkEvidence, verify_evidence
from ledger.witnessing.fork_records import ForkRecords
from tests.ledger.chain.rules.robot_world import quorum, witness
from tests.ledger.memory.anchoring_world import AnchoringWorld, Line, grow, name_of
from tests.ledger.memory.conftest import ORIGIN


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnchoringWorld]:
    with closing(AnchoringWorld(tmp_path / "chain")) as world:
        yield world


@pytest.fixture
def line(world: AnchoringWorld) -> Line:
    return Line(world)


@pytest.fixture
def anchorer(world: AnchoringWorld, owner: MemoryOwner) -> Anchorer:
    """Of a registered robot."""
    world.register(owner)
    return Anchorer(owner, world.trust)


def is_anchored(status: AnchorStatus, size: int) -> bool:
    return (status.state, status.size) == (AnchorState.ANCHORED, size)


def test_it_anchors_what_is_signed_and_nothing_else(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    assert anchorer.round(line).state is AnchorState.WAITING
    owner.checkpoint()
    assert anchorer.round(line).state is AnchorState.WAITING  # it is of no leaves
    for leaves in (1, 1, 2, 30):
        grow(owner, leaves)
        grow(owner, 1, checkpoint=False)
        signed = owner.status().checkpoint_size
        status = anchorer.round(line)
        assert is_anchored(status, signed), status
        assert world.anchored(ORIGIN) == signed
        assert status.height == world.engine.info().height
    sent = len(line.sent)
    assert is_anchored(anchorer.round(line), signed)
    assert len(line.sent) == sent == 4


def test_the_fleet_pays_if_it_does_and_else_the_robot(
    world: AnchoringWorld, anchorer: Anchorer, owner: MemoryOwner, line: Line
) -> None:
    def holds() -> int:
        row = verify_answer(
            world.engine.answer(account_key(key)), account_key(key), world.trust
        ).value
        return Account.decode(row or b"").amount(FEE_ASSET)

    with owner.reader() as home:
        key = bytes(home.vkeys[-1].public_key)
    grow(owner, 1)
    assert is_anchored(anchorer.round(line), 1)
    world.must(Transfer(asset=FEE_ASSET, recipient=key, amount=2))
    world.must(SetSponsorship(fleet=world.fleet, amount=1, period=1_000))  # that one is spent
    grow(owner, 1)
    assert is_anchored(anchorer.round(line), 2)
    assert holds() == 1
    world.must(SetSponsorship(fleet=world.fleet, amount=2, period=1_000))
    grow(owner, 1)
    assert is_anchored(anchorer.round(line), 3)
    assert holds() == 1
    world.must(SetSponsorship(fleet=world.fleet, amount=0, period=1_000))
    grow(owner, 1)
    assert is_anchored(anchorer.round(line), 4)
    grow(owner, 1)
    status = anchorer.round(line)
    assert (status.state, status.size) == (AnchorState.REFUSED, 4)
    assert "insufficient-funds" in status.detail


def test_days_offline_are_one_transaction(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    grow(owner, 3)
    assert is_anchored(anchorer.round(line), 3)
    line.cut, sent = True, len(line.sent)
    for _ in range(25):
        grow(owner, 7)
        status = anchorer.round(line)
        assert (status.state, status.size) == (AnchorState.UNREACHABLE, 3)
    line.cut = False
    assert is_anchored(anchorer.round(line), 3 + 25 * 7)
    assert len(line.sent) == sent + 1


def test_an_engine_that_was_started_again_is_the_same_chain(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    grow(owner, 2)
    assert is_anchored(anchorer.round(line), 2)
    world.stop()
    grow(owner, 2)
    assert anchorer.round(line).state is AnchorState.UNREACHABLE
    world.start()
    assert is_anchored(anchorer.round(line), 4)


def test_a_lost_answer_is_found_out_and_costs_no_second_transaction(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    grow(owner, 2)
    line.lost_answers = 1
    assert anchorer.round(line).state is AnchorState.UNREACHABLE
    height = world.engine.info().height
    assert is_anchored(anchorer.round(line), 2)
    assert world.engine.info().height <= height + 1
    assert world.anchored(ORIGIN) == 2
    assert len(set(line.sent)) == 1


def test_an_anchor_that_comes_while_the_next_round_looks_is_not_sent_again(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    class Before(dict[bytes, bytes]):
        """What the chain said before its block, told once."""

        def get(self, key: bytes, default: Any = None) -> Any:
            return self.pop(key, default)

    grow(owner, 2)
    keys = (robot_key(ORIGIN), fleet_key(world.fleet), PARAMETERS_KEY, anchor_key(ORIGIN))
    before = Before({key: world.engine.answer(key) for key in keys})
    line.lost_answers = 1
    assert anchorer.round(line).state is AnchorState.UNREACHABLE
    world.engine.wait(leaf_id(LeafKind.TRANSACTION, line.sent[0]), 10.0)
    line.forged = before
    assert is_anchored(anchorer.round(line), 2)
    assert len(line.sent) == 1


def test_a_restart_goes_on_from_the_proof_that_is_kept(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    grow(owner, 5)
    anchorer.round(line)
    kept = kept_anchor(owner.root)
    proven = verify_answer(kept, anchor_key(ORIGIN), world.trust).value
    assert AnchorRecord.FromString(proven or b"").size == 5
    again = Anchorer(owner, world.trust)
    line.cut = True
    status = again.round(line)
    assert (status.state, status.size) == (AnchorState.UNREACHABLE, 5)
    assert last_anchor(owner.root).size == 5
    line.cut = False
    grow(owner, 1)
    assert is_anchored(again.round(line), 6)


def test_what_is_kept_of_another_chain_or_damaged_is_of_no_use(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line, tmp_path: Path
) -> None:
    grow(owner, 5)
    anchorer.round(line)
    kept = kept_anchor(owner.root)
    for place in range(0, len(kept), 7):
        keep_anchor(owner.root, kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :])
        assert Anchorer(owner, world.trust).last.size in (0, 5)
    keep_anchor(owner.root, b"nonsense")
    assert last_anchor(owner.root) == AnchorStatus()
    with closing(AnchoringWorld(tmp_path / "other", origin="chain.example/other")) as other:
        keep_anchor(owner.root, kept)
        stranger = Anchorer(owner, other.trust)
        assert stranger.last.size == 0
        assert stranger.round(Line(other)).state is AnchorState.UNKNOWN
        # The right chain's answers, under the other's trust.
        assert stranger.round(line).state is AnchorState.DISTRUSTED


def test_a_robot_that_the_chain_does_not_know_says_so_and_records_on(
    world: AnchoringWorld, owner: MemoryOwner, line: Line
) -> None:
    anchorer = Anchorer(owner, world.trust)
    grow(owner, 1)
    status = anchorer.round(line)
    assert status.state is AnchorState.UNKNOWN
    assert status.alarming
    grow(owner, 1)
    world.register(owner)
    assert is_anchored(anchorer.round(line), 2)


def test_a_retired_robot_says_so(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    grow(owner, 1)
    anchorer.round(line)
    world.must(RetireRobot(origin=ORIGIN))
    grow(owner, 1)
    status = anchorer.round(line)
    assert (status.state, status.size) == (AnchorState.RETIRED, 1)


def test_only_what_the_fleets_witnesses_have_cosigned_is_sent(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    world.ask_for_witnesses(quorum(1, "w1", "w2"))
    grow(owner, 3)
    status = anchorer.round(line)
    assert status.state is AnchorState.UNWITNESSED
    assert not line.sent
    _cosign(owner, "w2")
    grow(owner, 3)  # newer, and without anybody's word
    status = anchorer.round(line)
    assert is_anchored(status, 3) or (status.state, status.size) == (AnchorState.UNWITNESSED, 3)
    assert world.anchored(ORIGIN) == 3
    _cosign(owner, "w1")
    assert is_anchored(anchorer.round(line), 6)


def _cosign(owner: MemoryOwner, name: str) -> None:
    with owner.reader() as home:
        note = home.log.latest_checkpoint() or b""
    signed = witness(name).sign(SignedNote.parse(note).text, 1_700_000_000).encode().encode()
    owner.merge_cosignatures(owner.status().checkpoint_size, signed, [witness(name).verifier_key])


def test_a_home_that_came_back_from_a_backup_sends_nothing(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line, tmp_path: Path
) -> None:
    grow(owner, 3)
    anchorer.round(line)
    owner.close()
    shutil.copytree(owner.root, tmp_path / "backup")
    with MemoryOwner.open(owner.root) as lived_on:
        grow(lived_on, 3)
        assert is_anchored(Anchorer(lived_on, world.trust).round(line), 6)
    sent = len(line.sent)
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("QUIPU_PUBLISHED", str(tmp_path / "elsewhere"))
        with MemoryOwner.open(tmp_path / "backup") as restored:
            behind = Anchorer(restored, world.trust)
            assert behind.round(line).state is AnchorState.CONTRADICTED
            grow(restored, 9, past=b"lie")  # another past than what is anchored
            status = behind.round(line)
            assert status.state is AnchorState.CONTRADICTED
            assert status.alarming
    assert len(line.sent) == sent


def test_a_key_that_was_rotated_on_the_chain_too_signs_on(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    grow(owner, 1)
    anchorer.round(line)
    with owner.writer() as home:
        old = home.entry_key()
        vkey = rotate_key(home)
        new = SigningKeys(home.paths.signing_keys).signer(vkey).private_key
    signature = new.sign(rotate_message(world.chain, name_of(old), name_of(new), ORIGIN))
    world.must(
        Transfer(asset=FEE_ASSET, recipient=name_of(old), amount=1)
    )  # a rotation pays its own fee here
    world.must(
        RotateKey(origin=ORIGIN, new_key=name_of(new), new_signature=signature, overlap=0), old
    )
    grow(owner, 1)
    assert is_anchored(anchorer.round(line), owner.status().checkpoint_size)


def test_evidence_that_its_witness_found_freezes_the_forger(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line, tmp_path: Path
) -> None:
    evidence = _fork(world, tmp_path)
    with owner.writer() as home:
        ForkRecords(home.storage).keep(evidence)
    silent = Anchorer(owner, world.trust, report_forks=False)
    grow(owner, 1)
    assert is_anchored(silent.round(line), 1)
    assert world.status("example.com/thief") != ROBOT_STATUS_FROZEN
    grow(owner, 1)
    assert is_anchored(anchorer.round(line), 2)
    assert world.status("example.com/thief") == ROBOT_STATUS_FROZEN
    sent = len(line.sent)
    assert is_anchored(anchorer.round(line), 2)
    assert len(line.sent) == sent  # once is enough
    # The forger's own robot hears of it.
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("QUIPU_PUBLISHED", str(tmp_path / "elsewhere"))
        with MemoryOwner.open(tmp_path / "forked") as forger:
            grow(forger, 1)
            assert Anchorer(forger, world.trust).round(line).state is AnchorState.FROZEN


def _fork(world: AnchoringWorld, tmp_path: Path) -> ForkEvidence:
    """Two histories of a registered robot, and the proof."""
    from ledger.witnessing.evidence import ForkClaim

    home = tmp_path / "thief"
    vkey = create_home(home, "example.com/thief")
    world.register(home)
    shutil.copytree(home, tmp_path / "forked")
    notes = []
    for number, root in enumerate((home, tmp_path / "forked")):
        with pytest.MonkeyPatch.context() as elsewhere:
            elsewhere.setenv("QUIPU_PUBLISHED", str(tmp_path / f"published-{number}"))
            with MemoryOwner.open(root) as owner:
                owner.commit(lambda home, n=number: home.log.append([b"past %d" % n]))
                notes.append(owner.checkpoint())
    return verify_evidence(ForkClaim.of(*notes, ()), [vkey])


STORED = """
import sys
from pathlib import Path
from ledger.home import open_home
with open_home(Path(sys.argv[1])) as home:
    print(*(note.hex() for _, note in home.log.checkpoints()), home.published.latest() is not None)
"""


def test_it_never_sends_what_a_power_cut_could_take_back(
    anchorer: Anchorer, owner: MemoryOwner, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a transaction leaves, another process reads its checkpoint from the disk."""
    grow(owner, 4)
    submit, seen = line.submit, []

    def look(transactions: Sequence[bytes]) -> list[Admission]:
        command = [sys.executable, "-c", STORED, str(owner.root)]
        *notes, published = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.split()
        seen.append((published, any(bytes.fromhex(note) in transactions[0] for note in notes)))
        return submit(transactions)

    monkeypatch.setattr(line, "submit", look)
    assert is_anchored(anchorer.round(line), 4)
    assert seen == [("True", True)]


def test_the_control_socket_tells_how_far_it_is_anchored(
    anchorer: Anchorer, owner: MemoryOwner, world: AnchoringWorld, line: Line
) -> None:
    ControlServer(owner)
    with ControlClient(owner.root) as client:
        assert client.status().anchor == AnchorStatus()
        grow(owner, 4)
        owner.set_anchor(anchorer.round(line))
        told = client.status().anchor
        assert told == owner.status().anchor
        assert (told.state, told.size) == (AnchorState.ANCHORED, 4)
