"""Entries: what is written can be read, and nothing else can."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ed25519 import PrivateKey
from ledger.errors import (
    EntryTooLargeError,
    LedgerError,
    MalformedError,
    VerificationError,
)
from ledger.experience.entry import (
    MAX_ENTRY_SIZE,
    Commitment,
    CommitmentKind,
    ContentRange,
    Erasure,
    Experience,
    File,
    Kind,
    RewardSource,
    Tag,
    Topic,
    encode_entry,
    entry_message,
    parse_entry,
    verify_entry,
)
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.schema import entry_pb2
from tests.ledger.experience.entry_strategies import experiences, kinds

KEY = PrivateKey.from_seed(bytes(32))
LOG_ID = bytes(range(32))

SAMPLE = Experience(
    record_id=b"r" * 16,
    start_ns=1,
    end_ns=2,
    content_root=b"c" * 32,
    content_size=30,
    files=(File("a/b", 10), File("c", 20)),
    media_type="application/vnd.mcap",
    name="run",
    topics=(Topic("/a", "t", 1), Topic("/b", "t", 2)),
    tags=(Tag("k", "v"),),
    commitments=(Commitment(CommitmentKind.REWARD, RewardSource.TASK, b"p" * 48, -5, 1000),),
    contract_id=b"x" * 32,
    ranges=(ContentRange(b"s" * 16, "f", 1, 2, -3, 4),),
    message_count=3,
)


def signed(body: entry_pb2.Body, extra: bytes = b"") -> bytes:
    """An entry with this body and a good signature: only parsing can refuse it."""
    encoded = body.SerializeToString(deterministic=True) + extra
    signature = KEY.sign(entry_message(LOG_ID, encoded))
    return entry_pb2.Entry(body=encoded, signature=signature).SerializeToString()


def body_of(kind: Kind, sequence: int = 5) -> entry_pb2.Body:
    body = entry_pb2.Body()
    body.ParseFromString(parse_entry(encode_entry(LOG_ID, sequence, kind, KEY)).body)
    return body


@settings(max_examples=150, deadline=None)
@given(kinds, st.integers(0, 2**64 - 1))
def test_what_is_encoded_parses_to_the_same_and_verifies(kind: Kind, sequence: int) -> None:
    encoded = encode_entry(LOG_ID, sequence, kind, KEY)
    entry = parse_entry(encoded)
    assert entry.kind == kind
    assert entry.sequence == sequence
    assert entry.robot_key == bytes(KEY.public_key)
    verify_entry(entry, LOG_ID)
    assert encode_entry(LOG_ID, sequence, kind, KEY) == encoded


@settings(max_examples=15, deadline=None)
@given(experiences())
def test_every_byte_of_an_entry_counts(experience: Experience) -> None:
    encoded = encode_entry(LOG_ID, 3, experience, KEY)
    for position in range(len(encoded)):
        for flip in (0x01, 0x80):
            damaged = bytearray(encoded)
            damaged[position] ^= flip
            with pytest.raises((MalformedError, VerificationError)):
                verify_entry(parse_entry(bytes(damaged)), LOG_ID)


def test_every_truncation_and_extension_is_malformed() -> None:
    encoded = encode_entry(LOG_ID, 3, SAMPLE, KEY)
    for length in range(len(encoded)):
        with pytest.raises(MalformedError):
            parse_entry(encoded[:length])
    for tail in (b"\0", b"\x1a\x00", b"\x18\x01", encoded):
        with pytest.raises(MalformedError):
            parse_entry(encoded + tail)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_by_our_own_error(noise: bytes) -> None:
    with pytest.raises(LedgerError):
        parse_entry(noise)


@settings(max_examples=200, deadline=None)
@given(experiences(), st.data())
def test_damaged_bodies_with_good_signatures_parse_or_are_malformed(
    experience: Experience, data: st.DataObject
) -> None:
    body = bytearray(body_of(experience).SerializeToString(deterministic=True))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    outer = entry_pb2.Entry(body=bytes(body), signature=bytes(64)).SerializeToString()
    try:
        entry = parse_entry(outer)
    except MalformedError:
        return
    # What was accepted says exactly one thing: writing it again gives the same bytes.
    again = entry_pb2.Body()
    again.ParseFromString(entry.body)
    assert again.SerializeToString(deterministic=True) == entry.body == bytes(body)


UNKNOWN = b"\xf8\x7f\x01"  # field 2047, varint 1


@pytest.mark.parametrize("path", ["body", "kind", "file", "topic", "tag", "range", "commitment"])
def test_unknown_fields_are_malformed_at_any_depth(path: str) -> None:
    body = body_of(SAMPLE)
    experience = body.experience
    target: Any = {
        "body": body,
        "kind": experience,
        "file": experience.files[1],
        "topic": experience.topics[0],
        "tag": experience.tags[0],
        "range": experience.ranges[0],
        "commitment": experience.commitments[0],
    }[path]
    parse_entry(signed(body))
    target.MergeFromString(UNKNOWN)
    with pytest.raises(MalformedError, match="unknown fields"):
        parse_entry(signed(body))


def test_unknown_field_beside_the_body_is_malformed() -> None:
    with pytest.raises(MalformedError, match="unknown fields"):
        parse_entry(encode_entry(LOG_ID, 1, SAMPLE, KEY) + UNKNOWN)


@pytest.mark.parametrize(
    "tail",
    [
        b"\x18\x07",  # sequence a second time: the last would win
        b"\x10\x00",  # a key with the wrong wire type
    ],
)
def test_a_field_twice_or_out_of_order_is_malformed(tail: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_entry(signed(body_of(SAMPLE), tail))


def test_long_varints_and_written_defaults_are_malformed() -> None:
    body = body_of(Erasure((b"i" * 16,)), sequence=1).SerializeToString(deterministic=True)
    assert body.startswith(b"\x08\x01")
    for other in (b"\x08\x81\x00" + body[2:], body[:36] + b"\x18\x00" + body[38:]):
        outer = entry_pb2.Entry(body=other, signature=bytes(64)).SerializeToString()
        with pytest.raises(MalformedError, match="canonical"):
            parse_entry(outer)


@pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
def test_other_versions_are_malformed(version: int) -> None:
    body = body_of(SAMPLE)
    body.version = version
    with pytest.raises(MalformedError, match="version"):
        parse_entry(signed(body))


def test_an_entry_must_say_something() -> None:
    body = body_of(SAMPLE)
    body.ClearField("kind")
    with pytest.raises(MalformedError, match="no kind"):
        parse_entry(signed(body))


def _edits() -> dict[str, Any]:
    def edit(**fields: Any) -> Any:
        def apply(experience: entry_pb2.Experience) -> None:
            for name, value in fields.items():
                setattr(experience, name, value)

        return apply

    def on(path: str, **fields: Any) -> Any:
        def apply(experience: entry_pb2.Experience) -> None:
            for name, value in fields.items():
                setattr(getattr(experience, path)[0], name, value)

        return apply

    def swap(path: str) -> Any:
        def apply(experience: entry_pb2.Experience) -> None:
            items = getattr(experience, path)
            copies = list(
                reversed([type(item).FromString(item.SerializeToString()) for item in items])
            )
            del items[:]
            items.extend(copies)

        return apply

    def repeat(path: str) -> Any:
        return lambda experience: getattr(experience, path).append(getattr(experience, path)[-1])

    return {
        "short record id": edit(record_id=b"r" * 15),
        "no record id": edit(record_id=b""),
        "ends before it starts": edit(start_ns=3),
        "short root": edit(content_root=b"c" * 31),
        "root of nothing": edit(content_root=EMPTY_ROOT),
        "no root": edit(content_root=b""),
        "size is no sum": edit(content_size=31),
        "contract of 31 bytes": edit(contract_id=b"x" * 31),
        "NUL in name": edit(name="a\0b"),
        "NUL in media type": edit(media_type="\0"),
        "empty file name": on("files", name=""),
        "absolute file name": on("files", name="/etc/passwd"),
        "parent file name": on("files", name="../x"),
        "inner parent": on("files", name="a/../b"),
        "dot": on("files", name="./b"),
        "double slash": on("files", name="a//b"),
        "trailing slash": on("files", name="a/"),
        "NUL in file name": on("files", name="a\0"),
        "long file name": on("files", name="a" * 256),
        "file twice": on("files", name="c"),
        "file is a folder": on("files", name="c/d"),
        "topics unsorted": swap("topics"),
        "topic twice": repeat("topics"),
        "tag twice": repeat("tags"),
        "tag without key": on("tags", key=""),
        "commitment twice": repeat("commitments"),
        "commitment of no kind": on("commitments", kind=0),
        "commitment of unknown kind": on("commitments", kind=9),
        "commitment of unknown source": on("commitments", source=9),
        "reward of nobody": on("commitments", source=0),
        "short point": on("commitments", point=b"p" * 47),
        "scale 0": on("commitments", scale=0),
        "rows backwards": on("ranges", first_row=9),
        "video backwards": on("ranges", video_start_ns=9),
        "range without record": on("ranges", record_id=b""),
        "range outside": on("ranges", file="../f"),
    }


@pytest.mark.parametrize("name", _edits())
def test_every_rule_of_an_experience_is_enforced_when_parsing(name: str) -> None:
    body = body_of(SAMPLE)
    parse_entry(signed(body))
    _edits()[name](body.experience)
    with pytest.raises(MalformedError):
        parse_entry(signed(body))


def test_text_that_is_not_utf8_is_malformed() -> None:
    encoded = encode_entry(LOG_ID, 1, dataclasses.replace(SAMPLE, name="Zebra"), KEY)
    with pytest.raises(MalformedError, match="protobuf"):
        parse_entry(encoded.replace(b"Zebra", b"Z\xffbra"))


def test_lone_surrogates_cannot_be_written() -> None:
    with pytest.raises(MalformedError, match="UTF-8"):
        dataclasses.replace(SAMPLE, name="\udc80")


def test_experience_without_files_points_into_others() -> None:
    pointing = dataclasses.replace(SAMPLE, files=(), content_size=0, content_root=b"")
    assert parse_entry(encode_entry(LOG_ID, 0, pointing, KEY)).kind == pointing
    with pytest.raises(MalformedError, match="neither files nor ranges"):
        dataclasses.replace(pointing, ranges=())
    with pytest.raises(MalformedError, match="content root"):
        dataclasses.replace(pointing, content_root=EMPTY_ROOT)


def test_empty_content_has_the_empty_root() -> None:
    empty = dataclasses.replace(
        SAMPLE, files=(File("a", 0),), content_size=0, content_root=EMPTY_ROOT
    )
    assert parse_entry(encode_entry(LOG_ID, 0, empty, KEY)).kind == empty


@pytest.mark.parametrize("ids", [(), (b"i" * 15,), (b"i" * 16,) * 2, (b"j" * 16, b"i" * 16)])
def test_erasures_name_sorted_records_once(ids: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedError):
        Erasure(ids)
    body = body_of(Erasure((b"a" * 16,)))
    del body.erasure.record_id[:]
    body.erasure.record_id.extend(ids)
    with pytest.raises(MalformedError):
        parse_entry(signed(body))


def test_the_signature_covers_the_log_and_the_body() -> None:
    entry = parse_entry(encode_entry(LOG_ID, 1, SAMPLE, KEY))
    with pytest.raises(VerificationError):
        verify_entry(entry, bytes(32))
    other = parse_entry(encode_entry(LOG_ID, 2, SAMPLE, KEY))
    with pytest.raises(VerificationError):
        verify_entry(dataclasses.replace(entry, body=other.body), LOG_ID)
    with pytest.raises(MalformedError):
        verify_entry(entry, b"short")


def test_a_small_order_robot_key_is_refused() -> None:
    entry = parse_entry(encode_entry(LOG_ID, 1, SAMPLE, KEY))
    weak = dataclasses.replace(entry, robot_key=b"\x01" + bytes(31), signature=b"\x01" + bytes(63))
    with pytest.raises(MalformedError, match="small order"):
        verify_entry(weak, LOG_ID)


def test_an_entry_of_65535_bytes_fits_and_one_more_does_not() -> None:
    def of_length(count: int) -> Experience:
        return dataclasses.replace(SAMPLE, media_type="m" * count)

    low = MAX_ENTRY_SIZE - len(encode_entry(LOG_ID, 0, of_length(60_000), KEY)) + 60_000
    assert len(encode_entry(LOG_ID, 0, of_length(low), KEY)) == MAX_ENTRY_SIZE
    parse_entry(encode_entry(LOG_ID, 0, of_length(low), KEY))
    with pytest.raises(EntryTooLargeError) as caught:
        encode_entry(LOG_ID, 0, of_length(low + 1), KEY)
    assert "2 files" in str(caught.value.hint)
    body = body_of(SAMPLE)
    body.experience.media_type = "m" * (low + 1)
    with pytest.raises(MalformedError, match="are the most"):
        parse_entry(signed(body))


def test_too_many_topics_say_what_to_do() -> None:
    topics = tuple(Topic(f"/topic/{number:05}", "std_msgs/msg/String", 1) for number in range(3000))
    with pytest.raises(EntryTooLargeError, match=r"3000 topics.*split") as caught:
        encode_entry(LOG_ID, 0, dataclasses.replace(SAMPLE, topics=topics), KEY)
    assert "\n" not in str(caught.value)
