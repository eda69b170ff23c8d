# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CommitmentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMMITMENT_KIND_UNSPECIFIED: _ClassVar[CommitmentKind]
    COMMITMENT_KIND_REWARD: _ClassVar[CommitmentKind]
    COMMITMENT_KIND_SUCCESS: _ClassVar[CommitmentKind]
    COMMITMENT_KIND_LENGTH: _ClassVar[CommitmentKind]

class RewardSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REWARD_SOURCE_UNSPECIFIED: _ClassVar[RewardSource]
    REWARD_SOURCE_OPERATOR: _ClassVar[RewardSource]
    REWARD_SOURCE_TASK: _ClassVar[RewardSource]
    REWARD_SOURCE_SELF: _ClassVar[RewardSource]
COMMITMENT_KIND_UNSPECIFIED: CommitmentKind
COMMITMENT_KIND_REWARD: CommitmentKind
COMMITMENT_KIND_SUCCESS: CommitmentKind
COMMITMENT_KIND_LENGTH: CommitmentKind
REWARD_SOURCE_UNSPECIFIED: RewardSource
REWARD_SOURCE_OPERATOR: RewardSource
REWARD_SOURCE_TASK: RewardSource
REWARD_SOURCE_SELF: RewardSource

class Entry(_message.Message):
    __slots__ = ("body", "signature")
    BODY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    signature: bytes
    def __init__(self, body: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Body(_message.Message):
    __slots__ = ("version", "robot_key", "sequence", "experience", "erasure", "pruning", "rotation", "retirement", "progress", "acquisition", "training")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROBOT_KEY_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXPERIENCE_FIELD_NUMBER: _ClassVar[int]
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    PRUNING_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    RETIREMENT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ACQUISITION_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    version: int
    robot_key: bytes
    sequence: int
    experience: Experience
    erasure: Erasure
    pruning: Pruning
    rotation: KeyRotation
    retirement: KeyRetirement
    progress: Progress
    acquisition: Acquisition
    training: Training
    def __init__(self, version: _Optional[int] = ..., robot_key: _Optional[bytes] = ..., sequence: _Optional[int] = ..., experience: _Optional[_Union[Experience, _Mapping]] = ..., erasure: _Optional[_Union[Erasure, _Mapping]] = ..., pruning: _Optional[_Union[Pruning, _Mapping]] = ..., rotation: _Optional[_Union[KeyRotation, _Mapping]] = ..., retirement: _Optional[_Union[KeyRetirement, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., acquisition: _Optional[_Union[Acquisition, _Mapping]] = ..., training: _Optional[_Union[Training, _Mapping]] = ...) -> None: ...

class Experience(_message.Message):
    __slots__ = ("record_id", "start_ns", "end_ns", "content_root", "content_size", "files", "media_type", "topics", "tags", "commitments", "contract_id", "ranges", "name", "message_count")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    END_NS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    start_ns: int
    end_ns: int
    content_root: bytes
    content_size: int
    files: _containers.RepeatedCompositeFieldContainer[File]
    media_type: str
    topics: _containers.RepeatedCompositeFieldContainer[Topic]
    tags: _containers.RepeatedCompositeFieldContainer[Tag]
    commitments: _containers.RepeatedCompositeFieldContainer[Commitment]
    contract_id: bytes
    ranges: _containers.RepeatedCompositeFieldContainer[ContentRange]
    name: str
    message_count: int
    def __init__(self, record_id: _Optional[bytes] = ..., start_ns: _Optional[int] = ..., end_ns: _Optional[int] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., files: _Optional[_Iterable[_Union[File, _Mapping]]] = ..., media_type: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[Topic, _Mapping]]] = ..., tags: _Optional[_Iterable[_Union[Tag, _Mapping]]] = ..., commitments: _Optional[_Iterable[_Union[Commitment, _Mapping]]] = ..., contract_id: _Optional[bytes] = ..., ranges: _Optional[_Iterable[_Union[ContentRange, _Mapping]]] = ..., name: _Optional[str] = ..., message_count: _Optional[int] = ...) -> None: ...

class File(_message.Message):
    __slots__ = ("name", "size")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class Topic(_message.Message):
    __slots__ = ("name", "type", "count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    count: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Tag(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Commitment(_message.Message):
    __slots__ = ("kind", "source", "point", "offset", "scale")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    kind: CommitmentKind
    source: RewardSource
    point: bytes
    offset: int
    scale: int
    def __init__(self, kind: _Optional[_Union[CommitmentKind, str]] = ..., source: _Optional[_Union[RewardSource, str]] = ..., point: _Optional[bytes] = ..., offset: _Optional[int] = ..., scale: _Optional[int] = ...) -> None: ...

class ContentRange(_message.Message):
    __slots__ = ("record_id", "file", "first_row", "end_row", "video_start_ns", "video_end_ns")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    FIRST_ROW_FIELD_NUMBER: _ClassVar[int]
    END_ROW_FIELD_NUMBER: _ClassVar[int]
    VIDEO_START_NS_FIELD_NUMBER: _ClassVar[int]
    VIDEO_END_NS_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    file: str
    first_row: int
    end_row: int
    video_start_ns: int
    video_end_ns: int
    def __init__(self, record_id: _Optional[bytes] = ..., file: _Optional[str] = ..., first_row: _Optional[int] = ..., end_row: _Optional[int] = ..., video_start_ns: _Optional[int] = ..., video_end_ns: _Optional[int] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("record_id", "reason")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    record_id: _containers.RepeatedScalarFieldContainer[bytes]
    reason: str
    def __init__(self, record_id: _Optional[_Iterable[bytes]] = ..., reason: _Optional[str] = ...) -> None: ...

class Pruning(_message.Message):
    __slots__ = ("record_id", "reason")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    record_id: _containers.RepeatedScalarFieldContainer[bytes]
    reason: str
    def __init__(self, record_id: _Optional[_Iterable[bytes]] = ..., reason: _Optional[str] = ...) -> None: ...

class KeyRotation(_message.Message):
    __slots__ = ("new_key", "new_signature")
    NEW_KEY_FIELD_NUMBER: _ClassVar[int]
    NEW_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    new_key: bytes
    new_signature: bytes
    def __init__(self, new_key: _Optional[bytes] = ..., new_signature: _Optional[bytes] = ...) -> None: ...

class KeyRetirement(_message.Message):
    __slots__ = ("retired_key",)
    RETIRED_KEY_FIELD_NUMBER: _ClassVar[int]
    retired_key: bytes
    def __init__(self, retired_key: _Optional[bytes] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("record_id", "leaf_count", "root", "length", "tail_hash")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    LEAF_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    TAIL_HASH_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    leaf_count: int
    root: bytes
    length: int
    tail_hash: bytes
    def __init__(self, record_id: _Optional[bytes] = ..., leaf_count: _Optional[int] = ..., root: _Optional[bytes] = ..., length: _Optional[int] = ..., tail_hash: _Optional[bytes] = ...) -> None: ...

class Acquisition(_message.Message):
    __slots__ = ("record_id", "chain", "grant", "offer", "contract", "version", "seller", "leaf", "content_root")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    chain: bytes
    grant: bytes
    offer: bytes
    contract: bytes
    version: int
    seller: str
    leaf: bytes
    content_root: bytes
    def __init__(self, record_id: _Optional[bytes] = ..., chain: _Optional[bytes] = ..., grant: _Optional[bytes] = ..., offer: _Optional[bytes] = ..., contract: _Optional[bytes] = ..., version: _Optional[int] = ..., seller: _Optional[str] = ..., leaf: _Optional[bytes] = ..., content_root: _Optional[bytes] = ...) -> None: ...

class Training(_message.Message):
    __slots__ = ("record_id", "name", "input")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    name: str
    input: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, record_id: _Optional[bytes] = ..., name: _Optional[str] = ..., input: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Disclosure(_message.Message):
    __slots__ = ("entry", "salt_key", "chunks")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    SALT_KEY_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    entry: bytes
    salt_key: bytes
    chunks: _containers.RepeatedCompositeFieldContainer[ChunkDisclosure]
    def __init__(self, entry: _Optional[bytes] = ..., salt_key: _Optional[bytes] = ..., chunks: _Optional[_Iterable[_Union[ChunkDisclosure, _Mapping]]] = ...) -> None: ...

class ChunkDisclosure(_message.Message):
    __slots__ = ("index", "salt", "path")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    index: int
    salt: bytes
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, index: _Optional[int] = ..., salt: _Optional[bytes] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...
