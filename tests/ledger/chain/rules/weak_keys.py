"""Thirty-two bytes that must name no account, as `ledger.ed25519` says."""

from __future__ import annotations

from typing import Final

_P: Final = 2**255 - 19
_Y_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


def _encode(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


SMALL_ORDER: Final = tuple(
    _encode(y, sign) for y in (1, _P - 1, 0, _Y_ORDER_8, _P - _Y_ORDER_8) for sign in (0, 1)
)
NOT_CANONICAL: Final = (_encode(_P), _encode(_P + 1), _encode(_P + 3), _encode(2**255 - 1))
NO_POINT: Final = (_encode(2), _encode(7))

WEAK_KEYS: Final = (*SMALL_ORDER, *NOT_CANONICAL, *NO_POINT)
