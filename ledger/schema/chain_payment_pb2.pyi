# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Asset(_message.Message):
    __slots__ = ("id", "symbol", "decimals")
    ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    id: int
    symbol: str
    decimals: int
    def __init__(self, id: _Optional[int] = ..., symbol: _Optional[str] = ..., decimals: _Optional[int] = ...) -> None: ...

class Transfer(_message.Message):
    __slots__ = ("asset", "recipient", "amount", "memo")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    asset: int
    recipient: bytes
    amount: int
    memo: bytes
    def __init__(self, asset: _Optional[int] = ..., recipient: _Optional[bytes] = ..., amount: _Optional[int] = ..., memo: _Optional[bytes] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("key", "signature")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    signature: bytes
    def __init__(self, key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Mint(_message.Message):
    __slots__ = ("asset", "number", "outputs", "approvals")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    asset: int
    number: int
    outputs: _containers.RepeatedCompositeFieldContainer[Output]
    approvals: _containers.RepeatedCompositeFieldContainer[Approval]
    def __init__(self, asset: _Optional[int] = ..., number: _Optional[int] = ..., outputs: _Optional[_Iterable[_Union[Output, _Mapping]]] = ..., approvals: _Optional[_Iterable[_Union[Approval, _Mapping]]] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("account", "amount")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    amount: int
    def __init__(self, account: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class CreateAsset(_message.Message):
    __slots__ = ("asset", "approvals")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    asset: Asset
    approvals: _containers.RepeatedCompositeFieldContainer[Approval]
    def __init__(self, asset: _Optional[_Union[Asset, _Mapping]] = ..., approvals: _Optional[_Iterable[_Union[Approval, _Mapping]]] = ...) -> None: ...

class SetSpendingCap(_message.Message):
    __slots__ = ("asset", "amount", "period")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    asset: int
    amount: int
    period: int
    def __init__(self, asset: _Optional[int] = ..., amount: _Optional[int] = ..., period: _Optional[int] = ...) -> None: ...

class AssetRecord(_message.Message):
    __slots__ = ("asset", "minted", "mints")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    MINTED_FIELD_NUMBER: _ClassVar[int]
    MINTS_FIELD_NUMBER: _ClassVar[int]
    asset: Asset
    minted: int
    mints: int
    def __init__(self, asset: _Optional[_Union[Asset, _Mapping]] = ..., minted: _Optional[int] = ..., mints: _Optional[int] = ...) -> None: ...

class CapRecord(_message.Message):
    __slots__ = ("amount", "period", "window", "spent", "next_amount", "next_period", "next_height")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    NEXT_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_PERIOD_FIELD_NUMBER: _ClassVar[int]
    NEXT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    amount: int
    period: int
    window: int
    spent: int
    next_amount: int
    next_period: int
    next_height: int
    def __init__(self, amount: _Optional[int] = ..., period: _Optional[int] = ..., window: _Optional[int] = ..., spent: _Optional[int] = ..., next_amount: _Optional[int] = ..., next_period: _Optional[int] = ..., next_height: _Optional[int] = ...) -> None: ...
