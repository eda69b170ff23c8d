"""Results: one encoding each, one root a block, and codes that keep their numbers."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.codes import ResultCode
from ledger.chain.result import Result, join_results, results_root, split_results
from ledger.errors import CorruptStoreError, MalformedError
from ledger.merkle.hashing import leaf_hash, node_hash
from ledger.schema import chain_pb2
from ledger.schema.chain_pb2 import EVENT_KIND_MINTED, Event, EventKind

ID: Final = bytes(range(32))
EVENT: Final = Event(kind=EVENT_KIND_MINTED, subject=b"somebody", amount=7)

RESULTS: Final = (
    Result(ID, ResultCode.OK),
    Result(ID, ResultCode.OK, (EVENT,)),
    Result(ID, ResultCode.OK, (EVENT, EVENT, Event())),
    Result(ID, ResultCode.SEQUENCE_PAST),
    Result(ID, 9_999),
    Result(ID, 2**32 - 1),
)


@pytest.mark.parametrize("result", RESULTS, ids=str)
def test_is_read_as_it_was_written(result: Result) -> None:
    assert Result.parse(result.encode()) == result


def test_the_short_way_of_writing_is_the_same() -> None:
    for result in RESULTS:
        message = chain_pb2.Result(
            transaction=result.transaction, code=result.code, events=result.events
        )
        assert result.encode() == message.SerializeToString(deterministic=True)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_of_no_transaction(length: int) -> None:
    message = chain_pb2.Result(transaction=bytes(length), code=5)
    with pytest.raises(MalformedError):
        Result.parse(message.SerializeToString())


def test_one_encoding() -> None:
    good = RESULTS[1].encode()
    for bad in (b"", good[:-1], good + b"\x10\x00", good + b"\x20\x01", good[34:] + good[:34]):
        with pytest.raises(MalformedError):
            Result.parse(bad)


@given(st.binary(max_size=100))
def test_noise(noise: bytes) -> None:
    with pytest.raises(MalformedError):
        Result.parse(noise)


def test_roots() -> None:
    one, two, three = (result.encode() for result in RESULTS[:3])
    assert results_root([]).hex().startswith("e3b0c442"), "the SHA-256 of nothing (RFC 6962)"
    assert results_root([one]) == leaf_hash(one)
    pair = node_hash(leaf_hash(one), leaf_hash(two))
    assert results_root([one, two]) == pair
    assert results_root([one, two, three]) == node_hash(pair, leaf_hash(three))
    assert results_root([two, one]) != pair


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_rows_hold_results_in_order(encoded: list[bytes]) -> None:
    row = join_results(encoded)
    assert split_results(row) == encoded
    for cut in range(1, 4):
        if len(row) > cut:
            with pytest.raises(CorruptStoreError):
                split_results(row + bytes([0, 0, 0, 9][:cut]))


def test_a_row_that_is_cut() -> None:
    row = join_results([RESULTS[0].encode(), RESULTS[1].encode()])
    first = len(join_results([RESULTS[0].encode()]))
    for length in range(len(row)):
        if length in (0, first):
            assert len(split_results(row[:length])) == bool(length)
        else:
            with pytest.raises(CorruptStoreError):
                split_results(row[:length])


def test_numbers_keep_their_meaning() -> None:
    """They are hashed into headers: a line of this table is never changed, only added."""
    assert {code.value: code.name for code in ResultCode} == {
        0: "OK",
        1: "MALFORMED",
        2: "TOO_LARGE",
        3: "UNKNOWN_VERSION",
        4: "UNKNOWN_ACTION",
        5: "FIELD_REFUSED",
        6: "UNKNOWN_ACCOUNT",
        7: "WRONG_SIGNATURE",
        8: "SEQUENCE_PAST",
        9: "SEQUENCE_AHEAD",
        10: "EXPIRED",
        11: "FEE_TOO_LOW",
        12: "ATTACHMENT_MISSING",
        13: "NOT_ALLOWED",
        14: "WEAK_KEY",
        15: "BLOCK_FULL",
        16: "MEMPOOL_FULL",
        100: "INSUFFICIENT_FUNDS",
        101: "AMOUNT_OVERFLOW",
        102: "UNKNOWN_ASSET",
        103: "ASSET_EXISTS",
        104: "TOO_MANY_ASSETS",
        105: "OVER_CAP",
        106: "MINT_NUMBER",
        107: "NOT_APPROVED",
        108: "POOL_ACCOUNT",
        200: "UNKNOWN_FLEET",
        201: "FLEET_EXISTS",
        202: "UNKNOWN_ROBOT",
        203: "ROBOT_EXISTS",
        204: "KEY_IN_USE",
        205: "NOT_PROVEN",
        206: "LAST_KEY",
        207: "ROBOT_RETIRED",
        208: "ROBOT_FROZEN",
        209: "RECOVERY_STATE",
        210: "EPOCH_PAST",
        211: "BAD_ISSUER_KEY",
        212: "NOT_SPONSORED",
        213: "BAD_POLICY",
        214: "TOO_MANY_KEYS",
        300: "BAD_CHECKPOINT",
        301: "NOT_NEWER",
        302: "INCONSISTENT",
        303: "QUORUM_NOT_MET",
        304: "NO_EVIDENCE",
        305: "EVIDENCE_NOT_DATED",
        400: "UNKNOWN_CHANNEL",
        401: "CHANNEL_TERMS",
        402: "CHANNEL_STATE",
        403: "BAD_CLAIM",
        404: "CLAIM_NOT_HIGHER",
        405: "CHALLENGE_OVER",
        500: "UNKNOWN_CONSENT",
        501: "CONSENT_STATE",
        502: "NOT_AN_ERASURE",
        503: "NOT_ANCHORED",
        504: "CONSENT_WITHDRAWN",
        600: "UNKNOWN_CONTRACT",
        601: "CONTRACT_OVER",
        602: "POLICY_REFUSED",
        603: "BAD_TERMS",
        604: "UNKNOWN_OFFER",
        605: "OFFER_STATE",
        606: "NOT_AN_EXPERIENCE",
        607: "QUALITY_NOT_PROVEN",
        608: "STALE",
        609: "POLICY_DENIES",
        700: "ISSUER_EPOCH",
        701: "REVOCATION_EPOCH",
        702: "TIME_REFUSED",
        703: "OVER_USES",
        704: "ALREADY_USED",
        705: "CREDENTIAL_NOT_PROVEN",
        706: "KEY_NOT_FRESH",
        707: "UNKNOWN_GRANT",
        708: "GRANT_STATE",
        800: "UNKNOWN_SALE",
        801: "SALE_TERMS",
        802: "SALE_STATE",
        803: "SALE_TIME_OVER",
        804: "WRONG_KEY",
        805: "BAD_COMPLAINT",
        806: "UNIT_IS_RIGHT",
        900: "UNKNOWN_MODEL",
        901: "MODEL_EXISTS",
        902: "MODEL_STATE",
        903: "OTHER_FLEETS_GRANT",
    }
    assert dict(EventKind.items())["EVENT_KIND_CHANNEL_TOPPED_UP"] == 16
