"""Random damage: parsers and verifiers raise `LedgerError` or nothing, and never more.

Each target runs for ``QUIPU_FUZZ_SECONDS`` (1 by default) over mutations of right
inputs, from a fixed seed. What a parser accepts must be what its encoder writes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from ledger.checkpoint import Checkpoint, log_id, open_checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey, PublicKey
from ledger.errors import LedgerError, RefusedError
from ledger.experience.content_root import CHUNK_SIZE, content_root_of_leaves, disclose_chunk
from ledger.experience.disclosure import Disclosure, encode_disclosure, parse_disclosure
from ledger.experience.entry import Experience, File, encode_entry, parse_entry
from ledger.merkle.hashing import leaf_hash, node_hash
from ledger.note import CosignatureSigner, NoteSigner, SignedNote, VerifierKey, open_note
from ledger.storage.memory import MemoryStorage
from ledger.tlog_proof import TlogProof
from ledger.verifier import verify_chunk, verify_growth, verify_proof_file
from ledger.witness import (
    AddCheckpointRequest,
    WitnessState,
    add_cosignatures,
    cosign_checkpoint,
)
from ledger.witnessing.evidence import ForkClaim, verify_evidence
from ledger.witnessing.follower import Follower
from ledger.witnessing.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness
from ledger.witnessing.service import WitnessService

SECONDS = float(os.environ.get("QUIPU_FUZZ_SECONDS", "1"))

ROBOT = NoteSigner("example.com/robot", PrivateKey.from_seed(b"r" * 32))
WITNESS = CosignatureSigner("example.com/witness", PrivateKey.from_seed(b"w" * 32))
KEYS, WITNESS_KEYS = [ROBOT.verifier_key], [WITNESS.verifier_key]
CHUNK_LEAVES = [bytes([i]) * 32 for i in range(3)]
ENTRY = encode_entry(
    log_id(ROBOT.name),
    0,
    Experience(
        record_id=b"i" * 16,
        start_ns=1,
        end_ns=2,
        content_root=content_root_of_leaves(CHUNK_LEAVES),
        content_size=2 * CHUNK_SIZE + 1,
        files=(File("a", 2 * CHUNK_SIZE + 1),),
        media_type="application/octet-stream",
        name="a recording",
    ),
    ROBOT.private_key,
)
CHECKPOINT = Checkpoint(ROBOT.name, 1, leaf_hash(ENTRY))
NOTE = cosign_checkpoint(sign_checkpoint(CHECKPOINT, [ROBOT]), WITNESS, 1_700_000_000)
EXTRA = encode_disclosure(
    Disclosure(ENTRY, b"s" * 32, (disclose_chunk(CHUNK_LEAVES, b"s" * 32, 2),))
)
PROOF = TlogProof(0, (), NOTE, EXTRA).encode()
LONG_PROOF = TlogProof(5, (bytes(32),) * 9, NOTE, None).encode()
REQUEST = AddCheckpointRequest(1, (bytes(32),) * 3, NOTE).encode()
ANSWER = WITNESS.sign(CHECKPOINT.encode(), 5).encode().encode()
VKEY = ROBOT.verifier_key.encode().encode()
POLICY = Policy(
    (PolicyLog(ROBOT.verifier_key, "https://r.example"),),
    (PolicyWitness("w", WITNESS.verifier_key),),
    (PolicyGroup("g", 1, ("w",)), PolicyGroup("h", 1, ("g",))),
    "h",
)
# One leaf, then two of which the first is another: the path is (r', its sibling).
OTHER_LEAF, SIBLING = b"o" * 32, b"s" * 32
FORK = sign_checkpoint(Checkpoint(ROBOT.name, 2, node_hash(OTHER_LEAF, SIBLING)), [ROBOT])
EVIDENCE = ForkClaim.of(NOTE, FORK, (OTHER_LEAF, SIBLING)).encode()
SPLIT_VIEW = ForkClaim.of(
    NOTE, sign_checkpoint(Checkpoint(ROBOT.name, 1, SIBLING), [ROBOT])
).encode()

PIECES = [
    *(b"\n", b"\n\n", b" ", b"+", b"=", b"==", b"-", b"0", b"00", b"9" * 30, b"\r", b"\t", b"\0"),
    *(b"\x80", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"old ", b"extra ", b"index "),
    *("\u2014 ".encode(), "\u2003".encode(), "\u0661".encode(), "\ufeff".encode()),
    *(b"\x08\x01", b"\x80" * 11, b"\xff" * 9 + b"\x01", bytes(32), b"A" * 43 + b"="),
]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage ``data`` in one to four places."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(damaged))
        stop = min(len(damaged), start + rng.randint(0, 1 << rng.randint(0, 7)))
        match rng.randrange(6):
            case 0 if damaged:
                damaged[start % len(damaged)] ^= 1 << rng.randrange(8)
            case 1:
                damaged[start:stop] = b""
            case 2:
                damaged[start:start] = damaged[start:stop] * rng.randint(1, 3)
            case 3:
                damaged[start:stop] = rng.choice(PIECES)
            case 4:
                damaged[start:start] = rng.choice(PIECES)
            case _:
                other = rng.randint(0, len(damaged))
                damaged[other:other] = damaged[start:stop]
    return bytes(damaged)


def text(data: bytes) -> str:
    """Text of any kind, lone surrogates too."""
    return data.decode("utf-8", "surrogateescape")


def parse_vkey(data: bytes) -> None:
    assert text(data) == VerifierKey.parse(text(data)).encode()


def parse_checkpoint(data: bytes) -> None:
    assert text(data) == Checkpoint.parse(text(data)).encode()


def parse_note(data: bytes) -> None:
    assert data == SignedNote.parse(data).encode()


def open_as_anyone(data: bytes) -> None:
    assert open_note(data, KEYS).text == CHECKPOINT.encode()


def open_as_client(data: bytes) -> None:
    assert open_checkpoint(data, KEYS, WITNESS_KEYS).checkpoint == CHECKPOINT


def parse_proof(data: bytes) -> None:
    assert data == TlogProof.parse(data).encode()


def parse_request(data: bytes) -> None:
    assert data == AddCheckpointRequest.parse(data).encode()


def parse_answer(data: bytes) -> None:
    open_checkpoint(add_cosignatures(NOTE, data, WITNESS_KEYS), KEYS, WITNESS_KEYS)


def verify_proof(data: bytes) -> None:
    assert verify_proof_file(data, KEYS, WITNESS_KEYS).encoded == ENTRY


def verify_disclosed_chunk(data: bytes) -> None:
    """The proof file as it would be with this disclosure."""
    result = verify_proof_file(TlogProof(0, (), NOTE, data).encode(), KEYS)
    verify_chunk(result, 2, b"x")


def verify_note_growth(data: bytes) -> None:
    verify_growth(data, NOTE, (), KEYS)


def parse_extra(data: bytes) -> None:
    assert data == encode_disclosure(parse_disclosure(data))


def parse_leaf(data: bytes) -> None:
    parse_entry(data)


def parse_public_key(data: bytes) -> None:
    assert data == bytes(PublicKey(data))


def parse_policy(data: bytes) -> None:
    policy = Policy.parse(data)
    assert Policy.parse(policy.encode()) == policy


def parse_evidence(data: bytes) -> None:
    assert data == ForkClaim.parse(data).encode()


def judge_evidence(data: bytes) -> None:
    assert verify_evidence(data, KEYS).contradiction in (OTHER_LEAF, SIBLING, CHECKPOINT.root)


SERVICE = WitnessService(Follower(POLICY, WitnessState(MemoryStorage()), WITNESS))


def ask_witness(data: bytes) -> None:
    """It answers, whatever it is asked; nobody but the log moves it."""
    answer = SERVICE.add_checkpoint(data)
    if answer.status != 200:
        assert answer.status in (400, 403, 404, 409, 422)
        raise RefusedError("not cosigned")
    assert AddCheckpointRequest.parse(data).checkpoint == CHECKPOINT


def parse_pem(data: bytes) -> None:
    PrivateKey.from_pem(data)


@pytest.mark.parametrize(
    ("target", "seeds"),
    [
        (parse_vkey, [VKEY, WITNESS.verifier_key.encode().encode()]),
        (parse_checkpoint, [CHECKPOINT.encode().encode()]),
        (parse_note, [NOTE, NOTE.replace(b"\n", b"\n\n", 1)]),
        (open_as_anyone, [NOTE]),
        (open_as_client, [NOTE]),
        (parse_proof, [PROOF, LONG_PROOF]),
        (parse_request, [REQUEST]),
        (parse_answer, [ANSWER, ANSWER * 3]),
        (verify_proof, [PROOF, LONG_PROOF]),
        (verify_disclosed_chunk, [EXTRA]),
        (verify_note_growth, [NOTE]),
        (parse_extra, [EXTRA]),
        (parse_leaf, [ENTRY]),
        (parse_public_key, [bytes(ROBOT.private_key.public_key)]),
        (parse_policy, [POLICY.encode()]),
        (parse_evidence, [EVIDENCE, SPLIT_VIEW]),
        (judge_evidence, [EVIDENCE, SPLIT_VIEW]),
        (ask_witness, [REQUEST, AddCheckpointRequest(0, (), NOTE).encode()]),
        (parse_pem, [ROBOT.private_key.to_pem()]),
    ],
)
def test_only_ledger_errors_are_raised(target: Callable[[bytes], None], seeds: list[bytes]) -> None:
    rng = random.Random(20)
    stop = time.monotonic() + SECONDS
    runs = refused = 0
    while time.monotonic() < stop or runs < 100:
        data = mutate(rng.choice(seeds), rng)
        try:
            target(data)
        except LedgerError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1, data.hex()
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} for the input {data.hex()}") from error
        runs += 1
    # Mutations that change nothing, or only what is not covered, are the exception.
    assert refused > runs // 4
