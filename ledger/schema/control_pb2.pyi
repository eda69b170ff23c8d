# mypy: disable-error-code="type-arg"
from ledger.schema import entry_pb2 as _entry_pb2
from ledger.schema import store_pb2 as _store_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OwnerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OWNER_STATE_UNSPECIFIED: _ClassVar[OwnerState]
    OWNER_STATE_OPEN: _ClassVar[OwnerState]
    OWNER_STATE_LENT: _ClassVar[OwnerState]
    OWNER_STATE_BEHIND: _ClassVar[OwnerState]
    OWNER_STATE_FAULTY: _ClassVar[OwnerState]
    OWNER_STATE_CLOSED: _ClassVar[OwnerState]

class StoreMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORE_MODE_UNSPECIFIED: _ClassVar[StoreMode]
    STORE_MODE_REFLINK_OR_COPY: _ClassVar[StoreMode]
    STORE_MODE_LINK: _ClassVar[StoreMode]
    STORE_MODE_IN_PLACE: _ClassVar[StoreMode]
OWNER_STATE_UNSPECIFIED: OwnerState
OWNER_STATE_OPEN: OwnerState
OWNER_STATE_LENT: OwnerState
OWNER_STATE_BEHIND: OwnerState
OWNER_STATE_FAULTY: OwnerState
OWNER_STATE_CLOSED: OwnerState
STORE_MODE_UNSPECIFIED: StoreMode
STORE_MODE_REFLINK_OR_COPY: StoreMode
STORE_MODE_LINK: StoreMode
STORE_MODE_IN_PLACE: StoreMode

class Request(_message.Message):
    __slots__ = ("status", "checkpoint", "prove_inclusion", "prove_consistency", "begin", "progress", "seal", "interrupted", "abandon", "missing", "leaf_hash", "lend")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    PROVE_INCLUSION_FIELD_NUMBER: _ClassVar[int]
    PROVE_CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    ABANDON_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    LEND_FIELD_NUMBER: _ClassVar[int]
    status: Nothing
    checkpoint: Nothing
    prove_inclusion: ProveInclusion
    prove_consistency: ProveConsistency
    begin: Begin
    progress: _entry_pb2.Progress
    seal: Seal
    interrupted: TakeUp
    abandon: Abandon
    missing: Abandon
    leaf_hash: LeafHash
    lend: Nothing
    def __init__(self, status: _Optional[_Union[Nothing, _Mapping]] = ..., checkpoint: _Optional[_Union[Nothing, _Mapping]] = ..., prove_inclusion: _Optional[_Union[ProveInclusion, _Mapping]] = ..., prove_consistency: _Optional[_Union[ProveConsistency, _Mapping]] = ..., begin: _Optional[_Union[Begin, _Mapping]] = ..., progress: _Optional[_Union[_entry_pb2.Progress, _Mapping]] = ..., seal: _Optional[_Union[Seal, _Mapping]] = ..., interrupted: _Optional[_Union[TakeUp, _Mapping]] = ..., abandon: _Optional[_Union[Abandon, _Mapping]] = ..., missing: _Optional[_Union[Abandon, _Mapping]] = ..., leaf_hash: _Optional[_Union[LeafHash, _Mapping]] = ..., lend: _Optional[_Union[Nothing, _Mapping]] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("failure", "status", "note", "proof", "consistency", "begun", "index", "sealed", "interrupted", "done", "lent", "leaf_hash")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    LENT_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    status: Status
    note: bytes
    proof: bytes
    consistency: Consistency
    begun: OpenRecord
    index: int
    sealed: Receipt
    interrupted: Interrupted
    done: Nothing
    lent: Nothing
    leaf_hash: bytes
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., note: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ..., begun: _Optional[_Union[OpenRecord, _Mapping]] = ..., index: _Optional[int] = ..., sealed: _Optional[_Union[Receipt, _Mapping]] = ..., interrupted: _Optional[_Union[Interrupted, _Mapping]] = ..., done: _Optional[_Union[Nothing, _Mapping]] = ..., lent: _Optional[_Union[Nothing, _Mapping]] = ..., leaf_hash: _Optional[bytes] = ...) -> None: ...

class Nothing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "message", "hint")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    hint: str
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ...) -> None: ...

class ProveInclusion(_message.Message):
    __slots__ = ("index", "size")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    index: int
    size: int
    def __init__(self, index: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class ProveConsistency(_message.Message):
    __slots__ = ("old_size", "new_size")
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    old_size: int
    new_size: int
    def __init__(self, old_size: _Optional[int] = ..., new_size: _Optional[int] = ...) -> None: ...

class Consistency(_message.Message):
    __slots__ = ("new_size", "proof", "note")
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    new_size: int
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    note: bytes
    def __init__(self, new_size: _Optional[int] = ..., proof: _Optional[_Iterable[bytes]] = ..., note: _Optional[bytes] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("origin", "pid", "state", "lent_to", "entries", "checkpoint_size", "checkpoint_time_ns", "cosignatures", "open_records", "waiting", "last_commit_us", "disk_free_bytes", "fault", "anchor")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LENT_TO_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    COSIGNATURES_FIELD_NUMBER: _ClassVar[int]
    OPEN_RECORDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    LAST_COMMIT_US_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    origin: str
    pid: int
    state: OwnerState
    lent_to: int
    entries: int
    checkpoint_size: int
    checkpoint_time_ns: int
    cosignatures: int
    open_records: int
    waiting: int
    last_commit_us: int
    disk_free_bytes: int
    fault: str
    anchor: Anchor
    def __init__(self, origin: _Optional[str] = ..., pid: _Optional[int] = ..., state: _Optional[_Union[OwnerState, str]] = ..., lent_to: _Optional[int] = ..., entries: _Optional[int] = ..., checkpoint_size: _Optional[int] = ..., checkpoint_time_ns: _Optional[int] = ..., cosignatures: _Optional[int] = ..., open_records: _Optional[int] = ..., waiting: _Optional[int] = ..., last_commit_us: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ..., fault: _Optional[str] = ..., anchor: _Optional[_Union[Anchor, _Mapping]] = ...) -> None: ...

class Anchor(_message.Message):
    __slots__ = ("state", "size", "height", "time_ns", "detail")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    state: int
    size: int
    height: int
    time_ns: int
    detail: str
    def __init__(self, state: _Optional[int] = ..., size: _Optional[int] = ..., height: _Optional[int] = ..., time_ns: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class Begin(_message.Message):
    __slots__ = ("in_place", "source")
    IN_PLACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    in_place: bool
    source: bytes
    def __init__(self, in_place: _Optional[bool] = ..., source: _Optional[bytes] = ...) -> None: ...

class TakeUp(_message.Message):
    __slots__ = ("in_place",)
    IN_PLACE_FIELD_NUMBER: _ClassVar[int]
    in_place: bool
    def __init__(self, in_place: _Optional[bool] = ...) -> None: ...

class OpenRecord(_message.Message):
    __slots__ = ("record_id", "salt_key", "folder", "in_place", "source")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    SALT_KEY_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    IN_PLACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    salt_key: bytes
    folder: bytes
    in_place: bool
    source: bytes
    def __init__(self, record_id: _Optional[bytes] = ..., salt_key: _Optional[bytes] = ..., folder: _Optional[bytes] = ..., in_place: _Optional[bool] = ..., source: _Optional[bytes] = ...) -> None: ...

class Abandon(_message.Message):
    __slots__ = ("record_id", "reason")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    reason: str
    def __init__(self, record_id: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class LeafHash(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class Interrupted(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[InterruptedRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[InterruptedRecord, _Mapping]]] = ...) -> None: ...

class InterruptedRecord(_message.Message):
    __slots__ = ("record", "marks")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    record: OpenRecord
    marks: _containers.RepeatedCompositeFieldContainer[_entry_pb2.Progress]
    def __init__(self, record: _Optional[_Union[OpenRecord, _Mapping]] = ..., marks: _Optional[_Iterable[_Union[_entry_pb2.Progress, _Mapping]]] = ...) -> None: ...

class Seal(_message.Message):
    __slots__ = ("record_id", "recording", "digest", "hidden", "options")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    recording: Recording
    digest: Digest
    hidden: _containers.RepeatedCompositeFieldContainer[HiddenValue]
    options: Options
    def __init__(self, record_id: _Optional[bytes] = ..., recording: _Optional[_Union[Recording, _Mapping]] = ..., digest: _Optional[_Union[Digest, _Mapping]] = ..., hidden: _Optional[_Iterable[_Union[HiddenValue, _Mapping]]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class Recording(_message.Message):
    __slots__ = ("root", "name", "media_type", "files", "topics", "start_ns", "end_ns", "message_count", "tags")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    END_NS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    name: str
    media_type: str
    files: _containers.RepeatedCompositeFieldContainer[RecordingFile]
    topics: _containers.RepeatedCompositeFieldContainer[_entry_pb2.Topic]
    start_ns: int
    end_ns: int
    message_count: int
    tags: _containers.RepeatedCompositeFieldContainer[_entry_pb2.Tag]
    def __init__(self, root: _Optional[bytes] = ..., name: _Optional[str] = ..., media_type: _Optional[str] = ..., files: _Optional[_Iterable[_Union[RecordingFile, _Mapping]]] = ..., topics: _Optional[_Iterable[_Union[_entry_pb2.Topic, _Mapping]]] = ..., start_ns: _Optional[int] = ..., end_ns: _Optional[int] = ..., message_count: _Optional[int] = ..., tags: _Optional[_Iterable[_Union[_entry_pb2.Tag, _Mapping]]] = ...) -> None: ...

class RecordingFile(_message.Message):
    __slots__ = ("name", "path", "size")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    name: str
    path: bytes
    size: int
    def __init__(self, name: _Optional[str] = ..., path: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class Digest(_message.Message):
    __slots__ = ("root", "size", "leaves")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    size: int
    leaves: bytes
    def __init__(self, root: _Optional[bytes] = ..., size: _Optional[int] = ..., leaves: _Optional[bytes] = ...) -> None: ...

class HiddenValue(_message.Message):
    __slots__ = ("commitment", "opening")
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    commitment: _entry_pb2.Commitment
    opening: _store_pb2.CommitmentOpening
    def __init__(self, commitment: _Optional[_Union[_entry_pb2.Commitment, _Mapping]] = ..., opening: _Optional[_Union[_store_pb2.CommitmentOpening, _Mapping]] = ...) -> None: ...

class Options(_message.Message):
    __slots__ = ("mode", "seal", "contract_id", "tags")
    MODE_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    mode: StoreMode
    seal: bool
    contract_id: bytes
    tags: _containers.RepeatedCompositeFieldContainer[_entry_pb2.Tag]
    def __init__(self, mode: _Optional[_Union[StoreMode, str]] = ..., seal: _Optional[bool] = ..., contract_id: _Optional[bytes] = ..., tags: _Optional[_Iterable[_Union[_entry_pb2.Tag, _Mapping]]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("index", "record_id", "content_root", "content_size", "name", "presence", "sealed")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    index: int
    record_id: bytes
    content_root: bytes
    content_size: int
    name: str
    presence: _store_pb2.Presence
    sealed: bool
    def __init__(self, index: _Optional[int] = ..., record_id: _Optional[bytes] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., name: _Optional[str] = ..., presence: _Optional[_Union[_store_pb2.Presence, str]] = ..., sealed: _Optional[bool] = ...) -> None: ...
