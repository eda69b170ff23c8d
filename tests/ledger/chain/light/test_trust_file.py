"""What an operator hands out: read back as it was, and nothing else accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.light.trust import Trust
from ledger.chain.light.trust_file import encode_trust, parse_trust, read_trust
from ledger.ed25519 import PrivateKey
from ledger.errors import LedgerError, MalformedError, NotFoundError
from ledger.note import KeyKind, NoteSigner, VerifierKey
from ledger.witnessing.policy import Policy, PolicyGroup, PolicyWitness

CHAIN = bytes(range(32))


def key(number: int, name: str, kind: KeyKind = KeyKind.ED25519) -> VerifierKey:
    return VerifierKey(name, kind, PrivateKey.from_seed(bytes([number]) * 32).public_key)


OPERATOR = key(1, "example.com/settlement")
WITNESSES = tuple(
    PolicyWitness(f"w{n}", key(n, f"w{n}.example.com", KeyKind.COSIGNATURE_V1)) for n in (2, 3)
)
WITNESSED = Policy((), WITNESSES, (PolicyGroup("both", 2, ("w2", "w3")),), "both")


@pytest.mark.parametrize("policy", [Policy(), WITNESSED])
def test_it_reads_back(policy: Policy, tmp_path: Path) -> None:
    trust = Trust(CHAIN, (OPERATOR, key(4, OPERATOR.name)), policy)
    path = tmp_path / "chain.trust"
    path.write_bytes(encode_trust(trust))
    read = read_trust(path)
    assert (read.chain, tuple(read.log_keys)) == (CHAIN, tuple(trust.log_keys))
    assert (read.policy.witnesses, read.policy.groups) == (policy.witnesses, policy.groups)
    assert read.policy.quorum == policy.quorum
    assert encode_trust(read) == encode_trust(trust)


GOOD = encode_trust(Trust(CHAIN, [OPERATOR]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD.split(b"\n", 1)[1],
        GOOD.replace(b"chain 00", b"chain 0"),
        GOOD.replace(b"0a0b", b"0A0B"),
        GOOD.replace(b"chain", b"Chain"),
        GOOD.replace(b"log ", b"logs "),
        b"\n" + GOOD,
        GOOD[:-1],
        b"chain " + CHAIN.hex().encode() + b"\nquorum none\n",
        GOOD + GOOD,
        GOOD.replace(b"quorum none", b"quorum w9"),
    ],
)
def test_what_is_none_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        parse_trust(data)
    path = tmp_path / "chain.trust"
    path.write_bytes(data)
    with pytest.raises(MalformedError, match=r"chain\.trust"):
        read_trust(path)


def test_keys_of_two_origins_are_refused() -> None:
    other = encode_trust(Trust(CHAIN, [key(5, "example.org/other")]))
    log = next(line for line in other.splitlines() if line.startswith(b"log"))
    with pytest.raises(LedgerError):
        parse_trust(GOOD.replace(b"quorum", log + b"\nquorum"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere\.trust"):
        read_trust(tmp_path / "nowhere.trust")


def test_a_signature_line_is_what_it_trusts() -> None:
    signer = NoteSigner(OPERATOR.name, PrivateKey.from_seed(bytes([1]) * 32))
    assert parse_trust(GOOD).log_keys == (signer.verifier_key,)
