"""A light client goes on and never back, and keeps what convicts an operator that forks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.light.client import ChainForkError, LightClient, check_order
from ledger.chain.light.trust import Trust
from ledger.chain.state_keys import account_key
from ledger.errors import LedgerError, MalformedError, VerificationError
from ledger.witnessing.evidence import verify_evidence
from tests.ledger.chain.light.lying_operator import LyingOperator
from tests.ledger.chain.machine.small_chain import SmallChain, transaction_id
from tests.ledger.chain.rules.chain_world import SECOND, account_of, known_key

BOB = account_key(account_of(known_key("bob")))


class Followed:
    """A chain, and what its operator would hand out at every height."""

    def __init__(self, folder: Path, payments: list[int]) -> None:
        self.chain = SmallChain(folder)
        self.trust = Trust(self.chain.chain, [self.chain.vkey])
        self.headers: list[bytes] = []
        self.sizes: list[int] = []
        self.answers: list[bytes] = []
        self.receipts: list[bytes] = []
        for amount in payments:
            payment = self.chain.pay("alice", "bob", amount)
            self.chain.block([payment])
            self.headers.append(self.chain.receipts.signed_header())
            self.answers.append(self.chain.receipts.answer(BOB))
            self.receipts.append(self.chain.receipts.receipt(transaction_id(payment)))
            self.sizes.append(self.chain.log.size)

    def proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """Between the checkpoints after two blocks."""
        older, newer = sorted((self.sizes[first - 1], self.sizes[second - 1]))
        return self.chain.log.prove_consistency(older, newer)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    return Followed(tmp_path_factory.mktemp("followed"), [1, 2, 3, 4, 5, 6])


def at(followed: Followed, height: int) -> LightClient:
    client = LightClient(followed.trust)
    client.advance(followed.headers[height - 1])
    return client


def test_it_goes_on_by_one_or_by_many(followed: Followed) -> None:
    client = LightClient(followed.trust)
    assert client.newest is None
    assert client.size == 0
    seen = 0
    for height in (1, 2, 3, 6):
        proof = followed.proof(seen, height) if seen else ()
        assert client.advance(followed.headers[height - 1], proof).header.height == height
        assert client.size == followed.sizes[height - 1]
        client.advance(followed.headers[height - 1])  # the same once more
        seen = height


def test_it_never_goes_back(followed: Followed) -> None:
    client = at(followed, 4)
    with pytest.raises(VerificationError, match="is old"):
        client.advance(followed.headers[2], followed.proof(3, 4))
    old = followed.chain.receipts.signed_header(2)  # under a newer checkpoint
    with pytest.raises(VerificationError, match="is old"):
        client.advance(old, followed.proof(4, 6))
    assert client.newest is not None
    assert client.newest.header.height == 4


@pytest.mark.parametrize("first", range(1, 6))
def test_only_the_right_consistency_proof_will_do(followed: Followed, first: int) -> None:
    client, good = at(followed, first), followed.proof(first, 6)
    others = [(), good[:-1], (*good, bytes(32)), followed.proof(2, 5), good[::-1]]
    others += [(*good[:n], bytes(32), *good[n + 1 :]) for n in range(len(good))]
    for bad in others:
        if bad != good:
            with pytest.raises(VerificationError):
                client.advance(followed.headers[5], bad)
    assert client.size == followed.sizes[first - 1]
    client.advance(followed.headers[5], good)


def test_receipts_of_any_age_and_answers_that_are_not_older(followed: Followed) -> None:
    client = at(followed, 3)
    assert client.receipt(followed.receipts[0], followed.proof(1, 3)).header.height == 1
    assert client.answer(followed.answers[2], BOB).header.height == 3
    with pytest.raises(VerificationError, match="is old"):
        client.answer(followed.answers[1], BOB, followed.proof(2, 3))
    assert client.answer(followed.answers[1], BOB, followed.proof(2, 3), height=2).value
    with pytest.raises(VerificationError, match="asked of 1"):
        client.answer(followed.answers[1], BOB, followed.proof(2, 3), height=1)
    with pytest.raises(VerificationError):
        client.receipt(followed.receipts[0])  # no proof that it is of the same log
    assert client.size == followed.sizes[2]
    # What is newer is kept: the client has moved on.
    client.answer(followed.answers[4], BOB, followed.proof(3, 5))
    assert client.size == followed.sizes[4]
    client.receipt(followed.receipts[5], followed.proof(5, 6))
    assert client.size == followed.sizes[5]
    # An old block under a new checkpoint moves nothing.
    client = at(followed, 3)
    old = followed.chain.receipts.answer(BOB, 2)
    client.answer(old, BOB, followed.proof(3, 6), height=2)
    assert client.size == followed.sizes[2]


def test_it_goes_on_from_what_was_kept(followed: Followed) -> None:
    kept = at(followed, 3).to_bytes()
    client = LightClient.from_bytes(followed.trust, kept)
    assert client.to_bytes() == kept
    assert client.size == followed.sizes[2]
    client.advance(followed.headers[3], followed.proof(3, 4))
    empty = LightClient.from_bytes(followed.trust, LightClient(followed.trust).to_bytes())
    assert empty.newest is None
    for place in range(0, len(kept), 7):
        bad = kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            LightClient.from_bytes(followed.trust, bad)


@pytest.mark.parametrize(("mine", "theirs"), [(3, 3), (3, 5), (3, 6), (5, 3), (4, 6)])
def test_a_fork_is_found_and_convicts(
    followed: Followed, tmp_path: Path, mine: int, theirs: int
) -> None:
    other = Followed(tmp_path, [1, 2, 33, 4, 5, 6])  # parts at block 3
    client = at(followed, mine)
    newest, held = other.headers[theirs - 1], client.to_bytes()
    if mine == theirs:
        ask = [lambda: client.advance(newest)]
    elif theirs < mine:
        proof = followed.proof(theirs, mine)  # of the log that the client follows
        ask = [lambda: client.receipt(other.receipts[theirs - 1], proof)]
    else:
        proof = other.proof(mine, theirs)
        ask = [
            lambda: client.advance(newest, proof),
            lambda: client.answer(other.answers[theirs - 1], BOB, proof),
        ]
    for attempt in ask:
        with pytest.raises(ChainForkError) as caught:
            attempt()
        evidence = verify_evidence(caught.value.evidence, followed.trust.log_keys)
        assert evidence.origin == followed.trust.origin
        assert client.to_bytes() == held


def test_before_the_fork_there_is_none(followed: Followed, tmp_path: Path) -> None:
    other = Followed(tmp_path, [1, 2, 33])
    client = at(followed, 2)
    client.advance(other.headers[2], other.proof(2, 3))


class TestHeadersOfOneLogThatAreNotOneChain:
    def both(self, **changed: object) -> tuple[LyingOperator, bytes, bytes]:
        liar = LyingOperator()
        first = liar.append_header(liar.next_header())
        before = liar.sign_header(first, 1)
        right = replace(liar.next_header(height=2), previous=first.app_hash)
        second = liar.append_header(right, **changed)
        return liar, before, liar.sign_header(second, 2)

    def advance(self, liar: LyingOperator, before: bytes, after: bytes) -> None:
        client = LightClient(Trust(liar.genesis.chain, [liar.signer.verifier_key]))
        client.advance(before)
        client.advance(after, liar.tree.proof(2, 3))

    def test_the_truth_is_accepted(self) -> None:
        self.advance(*self.both())

    @pytest.mark.parametrize(
        "changed",
        [
            {"previous": bytes(32)},
            {"height": 1},
            {"time_ns": 1},
            {"transactions": 0, "height": 3, "log_size": 3},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_a_contradiction_is_refused(self, changed: dict[str, object]) -> None:
        with pytest.raises(LedgerError) as caught:
            self.advance(*self.both(**changed))
        assert isinstance(caught.value, VerificationError)

    def test_heights_that_do_not_fit_between(self) -> None:
        first = replace(LyingOperator().next_header(), log_size=10)
        for blocks, leaves, seconds, good in (
            (5, 5, 5, True),
            (5, 4, 5, False),
            (5, 5, 0, False),
            (0, 0, 0, True),
            (0, 1, 0, False),
        ):
            second = replace(
                first,
                height=first.height + blocks,
                log_size=first.log_size + leaves,
                time_ns=first.time_ns + seconds * SECOND,
            )
            if good:
                check_order(first, second)
            else:
                with pytest.raises(VerificationError):
                    check_order(first, second)
