# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConsentStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSENT_STATUS_GRANTED: _ClassVar[ConsentStatus]
    CONSENT_STATUS_WITHDRAWN: _ClassVar[ConsentStatus]
    CONSENT_STATUS_ERASED: _ClassVar[ConsentStatus]
CONSENT_STATUS_GRANTED: ConsentStatus
CONSENT_STATUS_WITHDRAWN: ConsentStatus
CONSENT_STATUS_ERASED: ConsentStatus

class GrantConsent(_message.Message):
    __slots__ = ("subject", "origin", "record_id", "purpose", "expiry_height")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    subject: bytes
    origin: str
    record_id: _containers.RepeatedScalarFieldContainer[bytes]
    purpose: str
    expiry_height: int
    def __init__(self, subject: _Optional[bytes] = ..., origin: _Optional[str] = ..., record_id: _Optional[_Iterable[bytes]] = ..., purpose: _Optional[str] = ..., expiry_height: _Optional[int] = ...) -> None: ...

class WithdrawConsent(_message.Message):
    __slots__ = ("consent",)
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    consent: bytes
    def __init__(self, consent: _Optional[bytes] = ...) -> None: ...

class ReportErasure(_message.Message):
    __slots__ = ("consent", "entry", "index", "path")
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    consent: bytes
    entry: bytes
    index: int
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, consent: _Optional[bytes] = ..., entry: _Optional[bytes] = ..., index: _Optional[int] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AcknowledgeConsent(_message.Message):
    __slots__ = ("consent",)
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    consent: bytes
    def __init__(self, consent: _Optional[bytes] = ...) -> None: ...

class ConfirmErasure(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: bytes
    def __init__(self, grant: _Optional[bytes] = ...) -> None: ...

class ConsentRecord(_message.Message):
    __slots__ = ("grantor", "subject", "origin", "record_id", "purpose", "expiry_height", "status", "withdrawn_height", "erased", "vouched", "height", "acknowledged_height")
    GRANTOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ERASED_FIELD_NUMBER: _ClassVar[int]
    VOUCHED_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    grantor: bytes
    subject: bytes
    origin: str
    record_id: _containers.RepeatedScalarFieldContainer[bytes]
    purpose: str
    expiry_height: int
    status: ConsentStatus
    withdrawn_height: int
    erased: _containers.RepeatedScalarFieldContainer[bytes]
    vouched: bool
    height: int
    acknowledged_height: int
    def __init__(self, grantor: _Optional[bytes] = ..., subject: _Optional[bytes] = ..., origin: _Optional[str] = ..., record_id: _Optional[_Iterable[bytes]] = ..., purpose: _Optional[str] = ..., expiry_height: _Optional[int] = ..., status: _Optional[_Union[ConsentStatus, str]] = ..., withdrawn_height: _Optional[int] = ..., erased: _Optional[_Iterable[bytes]] = ..., vouched: _Optional[bool] = ..., height: _Optional[int] = ..., acknowledged_height: _Optional[int] = ...) -> None: ...

class WithdrawnRecord(_message.Message):
    __slots__ = ("withdrawals",)
    WITHDRAWALS_FIELD_NUMBER: _ClassVar[int]
    withdrawals: _containers.RepeatedCompositeFieldContainer[Withdrawal]
    def __init__(self, withdrawals: _Optional[_Iterable[_Union[Withdrawal, _Mapping]]] = ...) -> None: ...

class Withdrawal(_message.Message):
    __slots__ = ("grantor", "subject", "consent", "height")
    GRANTOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    grantor: bytes
    subject: bytes
    consent: bytes
    height: int
    def __init__(self, grantor: _Optional[bytes] = ..., subject: _Optional[bytes] = ..., consent: _Optional[bytes] = ..., height: _Optional[int] = ...) -> None: ...
