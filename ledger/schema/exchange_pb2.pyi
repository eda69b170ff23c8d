# mypy: disable-error-code="type-arg"
from ledger.schema import chain_channel_pb2 as _chain_channel_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_MALFORMED: _ClassVar[Reason]
    REASON_NO_GRANT: _ClassVar[Reason]
    REASON_WRONG_SIGNATURE: _ClassVar[Reason]
    REASON_NO_CHANNEL: _ClassVar[Reason]
    REASON_NO_SESSION: _ClassVar[Reason]
    REASON_NO_UNIT: _ClassVar[Reason]
    REASON_UNPAID: _ClassVar[Reason]
    REASON_BAD_CLAIM: _ClassVar[Reason]
    REASON_CHANNEL_ENDS: _ClassVar[Reason]
    REASON_GONE: _ClassVar[Reason]
    REASON_NOT_YET: _ClassVar[Reason]
    REASON_NO_SALE: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_MALFORMED: Reason
REASON_NO_GRANT: Reason
REASON_WRONG_SIGNATURE: Reason
REASON_NO_CHANNEL: Reason
REASON_NO_SESSION: Reason
REASON_NO_UNIT: Reason
REASON_UNPAID: Reason
REASON_BAD_CLAIM: Reason
REASON_CHANNEL_ENDS: Reason
REASON_GONE: Reason
REASON_NOT_YET: Reason
REASON_NO_SALE: Reason

class StreamRequest(_message.Message):
    __slots__ = ("open", "fetch", "deed", "open_sale", "leaves", "masked")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FETCH_FIELD_NUMBER: _ClassVar[int]
    DEED_FIELD_NUMBER: _ClassVar[int]
    OPEN_SALE_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    open: OpenStream
    fetch: FetchUnit
    deed: FetchDeed
    open_sale: OpenSale
    leaves: FetchLeaves
    masked: FetchMasked
    def __init__(self, open: _Optional[_Union[OpenStream, _Mapping]] = ..., fetch: _Optional[_Union[FetchUnit, _Mapping]] = ..., deed: _Optional[_Union[FetchDeed, _Mapping]] = ..., open_sale: _Optional[_Union[OpenSale, _Mapping]] = ..., leaves: _Optional[_Union[FetchLeaves, _Mapping]] = ..., masked: _Optional[_Union[FetchMasked, _Mapping]] = ...) -> None: ...

class OpenStream(_message.Message):
    __slots__ = ("grant", "channel", "session_key", "signature")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    grant: bytes
    channel: bytes
    session_key: bytes
    signature: bytes
    def __init__(self, grant: _Optional[bytes] = ..., channel: _Optional[bytes] = ..., session_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class FetchUnit(_message.Message):
    __slots__ = ("session", "index", "voucher", "payword", "mac")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    index: int
    voucher: _chain_channel_pb2.Voucher
    payword: _chain_channel_pb2.PayWord
    mac: bytes
    def __init__(self, session: _Optional[bytes] = ..., index: _Optional[int] = ..., voucher: _Optional[_Union[_chain_channel_pb2.Voucher, _Mapping]] = ..., payword: _Optional[_Union[_chain_channel_pb2.PayWord, _Mapping]] = ..., mac: _Optional[bytes] = ...) -> None: ...

class FetchDeed(_message.Message):
    __slots__ = ("session", "voucher", "payword", "mac")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    voucher: _chain_channel_pb2.Voucher
    payword: _chain_channel_pb2.PayWord
    mac: bytes
    def __init__(self, session: _Optional[bytes] = ..., voucher: _Optional[_Union[_chain_channel_pb2.Voucher, _Mapping]] = ..., payword: _Optional[_Union[_chain_channel_pb2.PayWord, _Mapping]] = ..., mac: _Optional[bytes] = ...) -> None: ...

class StreamReply(_message.Message):
    __slots__ = ("opened", "unit", "refused", "deed", "sale_opened", "leaves", "masked")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    DEED_FIELD_NUMBER: _ClassVar[int]
    SALE_OPENED_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    opened: StreamOpened
    unit: Unit
    refused: Refused
    deed: SealedDeed
    sale_opened: SaleOpened
    leaves: Leaves
    masked: Masked
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., unit: _Optional[_Union[Unit, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., deed: _Optional[_Union[SealedDeed, _Mapping]] = ..., sale_opened: _Optional[_Union[SaleOpened, _Mapping]] = ..., leaves: _Optional[_Union[Leaves, _Mapping]] = ..., masked: _Optional[_Union[Masked, _Mapping]] = ...) -> None: ...

class StreamOpened(_message.Message):
    __slots__ = ("session_key", "signature", "voucher", "payword")
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    session_key: bytes
    signature: bytes
    voucher: _chain_channel_pb2.Voucher
    payword: _chain_channel_pb2.PayWord
    def __init__(self, session_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., voucher: _Optional[_Union[_chain_channel_pb2.Voucher, _Mapping]] = ..., payword: _Optional[_Union[_chain_channel_pb2.PayWord, _Mapping]] = ...) -> None: ...

class Unit(_message.Message):
    __slots__ = ("index", "secret", "size", "path")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    index: int
    secret: bytes
    size: int
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, index: _Optional[int] = ..., secret: _Optional[bytes] = ..., size: _Optional[int] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SealedDeed(_message.Message):
    __slots__ = ("salt", "size")
    SALT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    salt: bytes
    size: int
    def __init__(self, salt: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class Deed(_message.Message):
    __slots__ = ("entry", "openings")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    OPENINGS_FIELD_NUMBER: _ClassVar[int]
    entry: bytes
    openings: _containers.RepeatedCompositeFieldContainer[DeedOpening]
    def __init__(self, entry: _Optional[bytes] = ..., openings: _Optional[_Iterable[_Union[DeedOpening, _Mapping]]] = ...) -> None: ...

class DeedOpening(_message.Message):
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

class OpenSale(_message.Message):
    __slots__ = ("grant", "session_key", "signature")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    grant: bytes
    session_key: bytes
    signature: bytes
    def __init__(self, grant: _Optional[bytes] = ..., session_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class FetchLeaves(_message.Message):
    __slots__ = ("session", "page", "mac")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    page: int
    mac: bytes
    def __init__(self, session: _Optional[bytes] = ..., page: _Optional[int] = ..., mac: _Optional[bytes] = ...) -> None: ...

class FetchMasked(_message.Message):
    __slots__ = ("session", "index", "mac")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MAC_FIELD_NUMBER: _ClassVar[int]
    session: bytes
    index: int
    mac: bytes
    def __init__(self, session: _Optional[bytes] = ..., index: _Optional[int] = ..., mac: _Optional[bytes] = ...) -> None: ...

class SaleOpened(_message.Message):
    __slots__ = ("session_key", "signature", "sale")
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SALE_FIELD_NUMBER: _ClassVar[int]
    session_key: bytes
    signature: bytes
    sale: bytes
    def __init__(self, session_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., sale: _Optional[bytes] = ...) -> None: ...

class Leaves(_message.Message):
    __slots__ = ("page", "size")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    page: int
    size: int
    def __init__(self, page: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class Masked(_message.Message):
    __slots__ = ("index", "size")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    index: int
    size: int
    def __init__(self, index: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: Reason
    def __init__(self, reason: _Optional[_Union[Reason, str]] = ...) -> None: ...
