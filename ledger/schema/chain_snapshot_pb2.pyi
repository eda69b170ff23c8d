# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SnapshotManifest(_message.Message):
    __slots__ = ("version", "genesis", "header", "checkpoint", "edge", "prefix_bits", "chunks")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GENESIS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    PREFIX_BITS_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    version: int
    genesis: bytes
    header: bytes
    checkpoint: bytes
    edge: _containers.RepeatedScalarFieldContainer[bytes]
    prefix_bits: int
    chunks: _containers.RepeatedCompositeFieldContainer[SnapshotChunk]
    def __init__(self, version: _Optional[int] = ..., genesis: _Optional[bytes] = ..., header: _Optional[bytes] = ..., checkpoint: _Optional[bytes] = ..., edge: _Optional[_Iterable[bytes]] = ..., prefix_bits: _Optional[int] = ..., chunks: _Optional[_Iterable[_Union[SnapshotChunk, _Mapping]]] = ...) -> None: ...

class SnapshotChunk(_message.Message):
    __slots__ = ("root", "size")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    size: int
    def __init__(self, root: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...
