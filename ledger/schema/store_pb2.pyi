# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Presence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRESENCE_UNSPECIFIED: _ClassVar[Presence]
    PRESENCE_EMPTY: _ClassVar[Presence]
    PRESENCE_STORED: _ClassVar[Presence]
    PRESENCE_IN_PLACE: _ClassVar[Presence]
    PRESENCE_PRUNED: _ClassVar[Presence]
    PRESENCE_ERASED: _ClassVar[Presence]

class CopyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COPY_KIND_UNSPECIFIED: _ClassVar[CopyKind]
    COPY_KIND_EXPORT: _ClassVar[CopyKind]
    COPY_KIND_HARD_LINK: _ClassVar[CopyKind]
    COPY_KIND_ORIGINAL: _ClassVar[CopyKind]
    COPY_KIND_OFFLOAD: _ClassVar[CopyKind]
PRESENCE_UNSPECIFIED: Presence
PRESENCE_EMPTY: Presence
PRESENCE_STORED: Presence
PRESENCE_IN_PLACE: Presence
PRESENCE_PRUNED: Presence
PRESENCE_ERASED: Presence
COPY_KIND_UNSPECIFIED: CopyKind
COPY_KIND_EXPORT: CopyKind
COPY_KIND_HARD_LINK: CopyKind
COPY_KIND_ORIGINAL: CopyKind
COPY_KIND_OFFLOAD: CopyKind

class RecordKeyFile(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[RecordKeys]
    def __init__(self, records: _Optional[_Iterable[_Union[RecordKeys, _Mapping]]] = ...) -> None: ...

class RecordKeys(_message.Message):
    __slots__ = ("record_id", "salt_key", "content_key", "openings")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    SALT_KEY_FIELD_NUMBER: _ClassVar[int]
    CONTENT_KEY_FIELD_NUMBER: _ClassVar[int]
    OPENINGS_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    salt_key: bytes
    content_key: bytes
    openings: _containers.RepeatedCompositeFieldContainer[CommitmentOpening]
    def __init__(self, record_id: _Optional[bytes] = ..., salt_key: _Optional[bytes] = ..., content_key: _Optional[bytes] = ..., openings: _Optional[_Iterable[_Union[CommitmentOpening, _Mapping]]] = ...) -> None: ...

class CommitmentOpening(_message.Message):
    __slots__ = ("kind", "source", "value", "blinding")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BLINDING_FIELD_NUMBER: _ClassVar[int]
    kind: int
    source: int
    value: int
    blinding: bytes
    def __init__(self, kind: _Optional[int] = ..., source: _Optional[int] = ..., value: _Optional[int] = ..., blinding: _Optional[bytes] = ...) -> None: ...

class ContentState(_message.Message):
    __slots__ = ("presence", "sealed", "removed_by", "stray_links")
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_BY_FIELD_NUMBER: _ClassVar[int]
    STRAY_LINKS_FIELD_NUMBER: _ClassVar[int]
    presence: Presence
    sealed: bool
    removed_by: int
    stray_links: int
    def __init__(self, presence: _Optional[_Union[Presence, str]] = ..., sealed: _Optional[bool] = ..., removed_by: _Optional[int] = ..., stray_links: _Optional[int] = ...) -> None: ...

class Copy(_message.Message):
    __slots__ = ("kind", "sealed", "verified", "paths")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    kind: CopyKind
    sealed: bool
    verified: bool
    paths: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, kind: _Optional[_Union[CopyKind, str]] = ..., sealed: _Optional[bool] = ..., verified: _Optional[bool] = ..., paths: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Pending(_message.Message):
    __slots__ = ("ingest", "erasure", "pruning", "recording")
    INGEST_FIELD_NUMBER: _ClassVar[int]
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    PRUNING_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    ingest: PendingIngest
    erasure: PendingRemoval
    pruning: PendingRemoval
    recording: PendingRecording
    def __init__(self, ingest: _Optional[_Union[PendingIngest, _Mapping]] = ..., erasure: _Optional[_Union[PendingRemoval, _Mapping]] = ..., pruning: _Optional[_Union[PendingRemoval, _Mapping]] = ..., recording: _Optional[_Union[PendingRecording, _Mapping]] = ...) -> None: ...

class PendingIngest(_message.Message):
    __slots__ = ("record_id", "content_root")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    record_id: _containers.RepeatedScalarFieldContainer[bytes]
    content_root: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, record_id: _Optional[_Iterable[bytes]] = ..., content_root: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PendingRemoval(_message.Message):
    __slots__ = ("record_id", "reason", "stray_links")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STRAY_LINKS_FIELD_NUMBER: _ClassVar[int]
    record_id: _containers.RepeatedScalarFieldContainer[bytes]
    reason: str
    stray_links: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, record_id: _Optional[_Iterable[bytes]] = ..., reason: _Optional[str] = ..., stray_links: _Optional[_Iterable[int]] = ...) -> None: ...

class PendingRecording(_message.Message):
    __slots__ = ("record_id", "in_place", "source", "seal", "abandonment")
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    IN_PLACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEAL_FIELD_NUMBER: _ClassVar[int]
    ABANDONMENT_FIELD_NUMBER: _ClassVar[int]
    record_id: bytes
    in_place: bool
    source: bytes
    seal: PendingSeal
    abandonment: PendingAbandonment
    def __init__(self, record_id: _Optional[bytes] = ..., in_place: _Optional[bool] = ..., source: _Optional[bytes] = ..., seal: _Optional[_Union[PendingSeal, _Mapping]] = ..., abandonment: _Optional[_Union[PendingAbandonment, _Mapping]] = ...) -> None: ...

class PendingSeal(_message.Message):
    __slots__ = ("content_root", "moved")
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    content_root: bytes
    moved: bool
    def __init__(self, content_root: _Optional[bytes] = ..., moved: _Optional[bool] = ...) -> None: ...

class PendingAbandonment(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...
