"""What an entry can say: eight kinds of frozen values, checked when they are made.

An instance that exists is well-formed: lengths, ranges, order, file names and
sums have been checked, whether it was built here or parsed from a stranger's
bytes. `MalformedError` otherwise. Times are ns since the Unix epoch on the
robot's clock, which is a claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from ledger.errors import MalformedError
from ledger.experience.fields import (
    CHUNK_SIZE,
    HASH_SIZE,
    KEY_SIZE,
    RECORD_ID_SIZE,
    SIGNATURE_SIZE,
    require_ascending,
    require_bytes,
    require_file_name,
    require_file_tree,
    require_int64,
    require_name,
    require_record_ids,
    require_text,
    require_uint32,
    require_uint64,
)
from ledger.merkle.hashing import EMPTY_ROOT

POINT_SIZE: Final = 48
"""Bytes of a compressed BLS12-381 G1 point."""


class CommitmentKind(Enum):
    """What a commitment hides; the values are those of the schema."""

    REWARD = 1
    SUCCESS = 2
    LENGTH = 3


class RewardSource(Enum):
    """Who gave a reward; the values are those of the schema."""

    UNSPECIFIED = 0
    OPERATOR = 1
    TASK = 2
    SELF = 3


@dataclass(frozen=True, slots=True)
class File:
    """One file of the content: relative name and size in bytes."""

    name: str
    size: int

    def __post_init__(self) -> None:
        require_file_name(self.name, "file name")
        require_uint64(self.size, "file size")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, its message type, and how many messages of it there are."""

    name: str
    type: str
    count: int

    def __post_init__(self) -> None:
        require_text(self.name, "topic name")
        require_text(self.type, "topic type")
        require_uint64(self.count, "topic message count")


@dataclass(frozen=True, slots=True)
class Tag:
    """A public fact."""

    key: str
    value: str

    def __post_init__(self) -> None:
        require_text(self.key, "tag key")
        require_text(self.value, "tag value")
        if not self.key:
            raise MalformedError("a tag has no key")


@dataclass(frozen=True, slots=True)
class Commitment:
    """A Pedersen commitment to ``value * scale - offset``, an integer nobody is told.

    ``point`` is a compressed BLS12-381 G1 point; that it lies on the curve is for
    the prover's and the verifier's zero-knowledge kit to check.
    """

    kind: CommitmentKind
    source: RewardSource
    point: bytes
    offset: int
    scale: int

    def __post_init__(self) -> None:
        require_bytes(self.point, POINT_SIZE, "commitment point")
        require_int64(self.offset, "commitment offset")
        require_uint64(self.scale, "commitment scale")
        if self.scale == 0:
            raise MalformedError("commitment scale is 0")
        if self.kind is CommitmentKind.REWARD and self.source is RewardSource.UNSPECIFIED:
            raise MalformedError("a committed reward does not say who gave it")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Rows [first_row, end_row) and video time [video_start_ns, video_end_ns) of a file.

    ``file`` is a file of the record ``record_id``; video times are ns from the
    start of that file.
    """

    record_id: bytes
    file: str
    first_row: int
    end_row: int
    video_start_ns: int
    video_end_ns: int

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id of a range")
        require_file_name(self.file, "file name of a range")
        require_uint64(self.first_row, "first row")
        require_uint64(self.end_row, "end row")
        require_int64(self.video_start_ns, "video start")
        require_int64(self.video_end_ns, "video end")
        if self.first_row > self.end_row or self.video_start_ns > self.video_end_ns:
            raise MalformedError("a range ends before it starts")


@dataclass(frozen=True, slots=True)
class Experience:
    """One recorded segment or episode: what it is, and the root of what it holds.

    An experience without files has no content (size 0, empty root) and points
    into others by ``ranges``.
    """

    record_id: bytes
    start_ns: int
    end_ns: int
    content_root: bytes
    content_size: int
    files: tuple[File, ...]
    media_type: str
    name: str
    topics: tuple[Topic, ...] = ()
    tags: tuple[Tag, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    contract_id: bytes = b""
    ranges: tuple[ContentRange, ...] = ()
    message_count: int = 0

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id")
        require_uint64(self.start_ns, "start time")
        require_uint64(self.end_ns, "end time")
        if self.start_ns > self.end_ns:
            raise MalformedError("the experience ends before it starts")
        require_text(self.media_type, "media type")
        require_text(self.name, "name")
        require_uint64(self.message_count, "message count")
        if self.contract_id:
            require_bytes(self.contract_id, HASH_SIZE, "contract id")
        require_ascending([(topic.name, topic.type) for topic in self.topics], "topics")
        require_ascending([(tag.key, tag.value) for tag in self.tags], "tags")
        require_ascending([(c.kind.value, c.source.value) for c in self.commitments], "commitments")
        self._check_content()

    def _check_content(self) -> None:
        require_uint64(self.content_size, "content size")
        require_file_tree([file.name for file in self.files])
        if sum(file.size for file in self.files) != self.content_size:
            raise MalformedError("the sizes of the files do not add up to the content size")
        if not self.files:
            if self.content_root:
                raise MalformedError("an experience without files has a content root")
            if not self.ranges:
                raise MalformedError("an experience has neither files nor ranges")
            return
        require_bytes(self.content_root, HASH_SIZE, "content root")
        if (self.content_size == 0) != (self.content_root == EMPTY_ROOT):
            raise MalformedError("content root and content size disagree about empty content")


@dataclass(frozen=True, slots=True)
class Erasure:
    """The content and all keys of these records were destroyed. Ids ascend."""

    record_ids: tuple[bytes, ...]
    reason: str = ""

    def __post_init__(self) -> None:
        require_record_ids(self.record_ids)
        require_text(self.reason, "reason")


@dataclass(frozen=True, slots=True)
class Pruning:
    """The content of these records left the robot; hashes and keys stay. Ids ascend."""

    record_ids: tuple[bytes, ...]
    reason: str = ""

    def __post_init__(self) -> None:
        require_record_ids(self.record_ids)
        require_text(self.reason, "reason")


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """``new_key`` signs from the next entry on, and shows by a signature that it exists."""

    new_key: bytes
    new_signature: bytes

    def __post_init__(self) -> None:
        require_bytes(self.new_key, KEY_SIZE, "new key")
        require_bytes(self.new_signature, SIGNATURE_SIZE, "signature of the new key")


@dataclass(frozen=True, slots=True)
class KeyRetirement:
    """``retired_key`` does not sign from the next entry on."""

    retired_key: bytes

    def __post_init__(self) -> None:
        require_bytes(self.retired_key, KEY_SIZE, "retired key")


@dataclass(frozen=True, slots=True)
class Progress:
    """The first ``length`` bytes of a record that is being written.

    ``root`` is over its first ``leaf_count`` chunk leaves; ``tail_hash`` is the chunk
    leaf of the bytes that follow them, or empty where none do.
    """

    record_id: bytes
    leaf_count: int
    root: bytes
    length: int
    tail_hash: bytes

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id")
        require_uint64(self.leaf_count, "leaf count")
        require_bytes(self.root, HASH_SIZE, "root")
        require_uint64(self.length, "length")
        if self.leaf_count != self.length // CHUNK_SIZE:
            raise MalformedError(
                f"{self.length} bytes of progress are not {self.leaf_count} whole chunks and a tail"
            )
        if (self.leaf_count == 0) != (self.root == EMPTY_ROOT):
            raise MalformedError("leaf count and root disagree about there being no chunk")
        require_bytes(self.tail_hash, HASH_SIZE if self.length % CHUNK_SIZE else 0, "tail hash")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The content of a record was bought, under a grant of a settlement chain.

    ``seller`` is the origin of the log that it comes from, ``leaf`` the leaf hash of its
    entry there, and ``content_root`` the root that the entry has: the bytes are those of the
    record, the salts are the seller's.
    """

    record_id: bytes
    chain: bytes
    grant: bytes
    offer: bytes
    contract: bytes
    version: int
    seller: str
    leaf: bytes
    content_root: bytes

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id")
        require_bytes(self.chain, HASH_SIZE, "chain's id")
        require_bytes(self.grant, HASH_SIZE, "grant's id")
        require_bytes(self.offer, HASH_SIZE, "offer's id")
        require_bytes(self.contract, HASH_SIZE, "contract's id")
        require_uint32(self.version, "contract's version")
        if self.version == 0:
            raise MalformedError("the versions of a contract count from 1")
        require_name(self.seller, "seller's origin")
        require_bytes(self.leaf, HASH_SIZE, "leaf of the seller's entry")
        require_bytes(self.content_root, HASH_SIZE, "content root")


@dataclass(frozen=True, slots=True)
class Training:
    """A model, the content of the record ``record_id``, was trained on ``inputs``. Ids ascend."""

    record_id: bytes
    name: str
    inputs: tuple[bytes, ...]

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id")
        require_name(self.name, "model's name")
        require_record_ids(self.inputs)
        if self.record_id in self.inputs:
            raise MalformedError("a model is its own input")


Kind: TypeAlias = (
    Experience | Erasure | Pruning | KeyRotation | KeyRetirement | Progress | Acquisition | Training
)
"""What one entry says."""
