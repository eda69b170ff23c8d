# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RobotStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROBOT_STATUS_ACTIVE: _ClassVar[RobotStatus]
    ROBOT_STATUS_FROZEN: _ClassVar[RobotStatus]
    ROBOT_STATUS_RETIRED: _ClassVar[RobotStatus]
ROBOT_STATUS_ACTIVE: RobotStatus
ROBOT_STATUS_FROZEN: RobotStatus
ROBOT_STATUS_RETIRED: RobotStatus

class CreateFleet(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ChangeAuthority(_message.Message):
    __slots__ = ("fleet", "new_authority", "new_signature")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    NEW_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    NEW_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    new_authority: bytes
    new_signature: bytes
    def __init__(self, fleet: _Optional[bytes] = ..., new_authority: _Optional[bytes] = ..., new_signature: _Optional[bytes] = ...) -> None: ...

class SetIssuerKey(_message.Message):
    __slots__ = ("fleet", "epoch", "public_key")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    epoch: int
    public_key: bytes
    def __init__(self, fleet: _Optional[bytes] = ..., epoch: _Optional[int] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class PayFromPool(_message.Message):
    __slots__ = ("fleet", "asset", "recipient", "amount")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    asset: int
    recipient: bytes
    amount: int
    def __init__(self, fleet: _Optional[bytes] = ..., asset: _Optional[int] = ..., recipient: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class SetSponsorship(_message.Message):
    __slots__ = ("fleet", "amount", "period", "anonymous_amount", "anonymous_period")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_PERIOD_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    amount: int
    period: int
    anonymous_amount: int
    anonymous_period: int
    def __init__(self, fleet: _Optional[bytes] = ..., amount: _Optional[int] = ..., period: _Optional[int] = ..., anonymous_amount: _Optional[int] = ..., anonymous_period: _Optional[int] = ...) -> None: ...

class SetWitnessPolicy(_message.Message):
    __slots__ = ("fleet", "policy")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    policy: bytes
    def __init__(self, fleet: _Optional[bytes] = ..., policy: _Optional[bytes] = ...) -> None: ...

class RegisterRobot(_message.Message):
    __slots__ = ("fleet", "origin", "key", "signature", "role", "successor_of")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_OF_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    origin: str
    key: bytes
    signature: bytes
    role: str
    successor_of: str
    def __init__(self, fleet: _Optional[bytes] = ..., origin: _Optional[str] = ..., key: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., role: _Optional[str] = ..., successor_of: _Optional[str] = ...) -> None: ...

class RotateKey(_message.Message):
    __slots__ = ("origin", "new_key", "new_signature", "overlap")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    NEW_KEY_FIELD_NUMBER: _ClassVar[int]
    NEW_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    origin: str
    new_key: bytes
    new_signature: bytes
    overlap: int
    def __init__(self, origin: _Optional[str] = ..., new_key: _Optional[bytes] = ..., new_signature: _Optional[bytes] = ..., overlap: _Optional[int] = ...) -> None: ...

class RetireKey(_message.Message):
    __slots__ = ("origin", "key")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    origin: str
    key: bytes
    def __init__(self, origin: _Optional[str] = ..., key: _Optional[bytes] = ...) -> None: ...

class RetireRobot(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: str
    def __init__(self, origin: _Optional[str] = ...) -> None: ...

class BeginRecovery(_message.Message):
    __slots__ = ("origin", "new_key", "new_signature")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    NEW_KEY_FIELD_NUMBER: _ClassVar[int]
    NEW_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    origin: str
    new_key: bytes
    new_signature: bytes
    def __init__(self, origin: _Optional[str] = ..., new_key: _Optional[bytes] = ..., new_signature: _Optional[bytes] = ...) -> None: ...

class CancelRecovery(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: str
    def __init__(self, origin: _Optional[str] = ...) -> None: ...

class CompleteRecovery(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: str
    def __init__(self, origin: _Optional[str] = ...) -> None: ...

class FleetRecord(_message.Message):
    __slots__ = ("name", "authority", "issuer_keys", "sponsored_amount", "sponsored_period", "witness_policy", "witness_policy_time_ns", "anonymous_amount", "anonymous_period", "revocation_epoch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    ISSUER_KEYS_FIELD_NUMBER: _ClassVar[int]
    SPONSORED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SPONSORED_PERIOD_FIELD_NUMBER: _ClassVar[int]
    WITNESS_POLICY_FIELD_NUMBER: _ClassVar[int]
    WITNESS_POLICY_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_PERIOD_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    authority: bytes
    issuer_keys: _containers.RepeatedCompositeFieldContainer[IssuerKey]
    sponsored_amount: int
    sponsored_period: int
    witness_policy: bytes
    witness_policy_time_ns: int
    anonymous_amount: int
    anonymous_period: int
    revocation_epoch: int
    def __init__(self, name: _Optional[str] = ..., authority: _Optional[bytes] = ..., issuer_keys: _Optional[_Iterable[_Union[IssuerKey, _Mapping]]] = ..., sponsored_amount: _Optional[int] = ..., sponsored_period: _Optional[int] = ..., witness_policy: _Optional[bytes] = ..., witness_policy_time_ns: _Optional[int] = ..., anonymous_amount: _Optional[int] = ..., anonymous_period: _Optional[int] = ..., revocation_epoch: _Optional[int] = ...) -> None: ...

class IssuerKey(_message.Message):
    __slots__ = ("epoch", "public_key", "height")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    public_key: bytes
    height: int
    def __init__(self, epoch: _Optional[int] = ..., public_key: _Optional[bytes] = ..., height: _Optional[int] = ...) -> None: ...

class RobotRecord(_message.Message):
    __slots__ = ("fleet", "role", "status", "keys", "successor_of", "recovery_key", "recovery_height", "sponsored_window", "sponsored")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_OF_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_KEY_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SPONSORED_WINDOW_FIELD_NUMBER: _ClassVar[int]
    SPONSORED_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    role: str
    status: RobotStatus
    keys: _containers.RepeatedCompositeFieldContainer[KeyPeriod]
    successor_of: str
    recovery_key: bytes
    recovery_height: int
    sponsored_window: int
    sponsored: int
    def __init__(self, fleet: _Optional[bytes] = ..., role: _Optional[str] = ..., status: _Optional[_Union[RobotStatus, str]] = ..., keys: _Optional[_Iterable[_Union[KeyPeriod, _Mapping]]] = ..., successor_of: _Optional[str] = ..., recovery_key: _Optional[bytes] = ..., recovery_height: _Optional[int] = ..., sponsored_window: _Optional[int] = ..., sponsored: _Optional[int] = ...) -> None: ...

class KeyPeriod(_message.Message):
    __slots__ = ("key", "first_height", "first_time_ns", "last_height", "last_time_ns")
    KEY_FIELD_NUMBER: _ClassVar[int]
    FIRST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    LAST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    first_height: int
    first_time_ns: int
    last_height: int
    last_time_ns: int
    def __init__(self, key: _Optional[bytes] = ..., first_height: _Optional[int] = ..., first_time_ns: _Optional[int] = ..., last_height: _Optional[int] = ..., last_time_ns: _Optional[int] = ...) -> None: ...
