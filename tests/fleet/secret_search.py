"""Whether a secret is to be found anywhere, in any of the forms in which programs show bytes."""

from __future__ import annotations

import base64
import gc
import logging
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ledger.chain.sale.identity import SALE_KEY_SIZE
from ledger.ed25519 import PrivateKey
from ledger.errors import LedgerError
from ledger.exchange.sale_file import SALE_KEY_SIZE as STREAM_KEY_SIZE
from ledger.exchange.swap_file import SwapRow, SwapStage
from ledger.wallet.channel_file import PayerRow

SHORTEST = 16
"""Bytes of a secret that is not met by chance."""
SEED_PREFIX = bytes.fromhex("302e020100300506032b657004220420")
"""Of an Ed25519 private key in PKCS #8, before its 32 bytes (RFC 8410, section 7)."""


def forms(secret: bytes) -> Iterator[bytes]:
    """Raw, hexadecimal, Python's own, a number, and base64 wherever it begins."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield repr(secret)[2:-1].encode()
    orders: tuple[Literal["big", "little"], ...] = ("big", "little")
    for order in orders:
        yield str(int.from_bytes(secret, order)).encode()
        yield hex(int.from_bytes(secret, order))[2:].encode()
    for before in range(3):
        # Of base64, the letters that these bytes alone decide.
        whole = base64.b64encode(bytes(before) + secret)
        first = -(-before * 8 // 6)
        last = (before + len(secret)) * 8 // 6
        yield whole[first:last]
        yield whole[first:last].replace(b"+", b"-").replace(b"/", b"_")


def found(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """Which secret is in which place."""
    return sorted(
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, content in places.items()
        if any(form in content for form in forms(secret))
    )


def harvest(root: Path) -> dict[str, bytes]:
    """The secrets in whatever files wallets, sales and purchases have below a folder now."""
    secrets: dict[str, bytes] = {}
    for path in sorted(root.rglob("*")):
        try:
            data = path.read_bytes() if path.is_file() and path.stat().st_size < 1 << 20 else b""
        except FileNotFoundError:
            continue  # it went meanwhile
        name = str(path.relative_to(root))
        if path.name == "key" and data.startswith(b"-----BEGIN PRIVATE KEY-----"):
            secrets[name] = _seed(data)
        elif path.suffix == ".payer":
            secrets[name] = _payer_seed(data)
        elif path.suffix == ".sale":
            secrets[name] = data[-32 - STREAM_KEY_SIZE : -32]
        elif path.suffix == ".swap":
            secrets |= _swap_secrets(name, data)
        elif path.name == "purchase" and data:
            secrets[name] = data[-64:-32]
    return {name: secret for name, secret in secrets.items() if len(secret) >= SHORTEST}


def _seed(pem: bytes) -> bytes:
    lines = pem.decode("ascii").splitlines()[1:-1]
    encoded = base64.b64decode("".join(lines))
    assert encoded.startswith(SEED_PREFIX)
    seed = encoded[len(SEED_PREFIX) :]
    assert PrivateKey.from_seed(seed).to_pem() == pem
    return seed


def _payer_seed(data: bytes) -> bytes:
    try:
        return PayerRow.decode(data).seed
    except LedgerError:
        return b""


def _swap_secrets(name: str, data: bytes) -> dict[str, bytes]:
    row = SwapRow.decode(data)
    if row.stage is SwapStage.ENDED:
        return {}
    assert len(row.key) == SALE_KEY_SIZE
    return {f"{name} key": row.key, f"{name} agreement": row.agreement}


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """What any logger says meanwhile, at any level, with arguments and tracebacks."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.name} {record.getMessage()} {record.args!r}")
            if record.exc_info and record.exc_info[1] is not None:
                said.append(shown(record.exc_info[1]))

    root, keep = logging.getLogger(), Keep(level=logging.DEBUG)
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(keep)
        root.setLevel(level)


def shown(error: BaseException) -> str:
    """All that may be printed of an error."""
    return f"{error!r} {error} {''.join(traceback.format_exception(error))}"


def all_reprs(packages: Iterable[str] = ("ledger.", "zkproofs.")) -> str:
    """``repr`` of every object of ours that is alive, in whatever variable."""
    names = tuple(packages)
    said = []
    for each in gc.get_objects():
        kind = type(each)
        module = str(kind.__module__)
        if module.startswith(names) and "_pb2" not in module:
            try:
                said.append(repr(each))
            except Exception as error:  # noqa: BLE001 - half made, or made to fail
                said.append(shown(error))
    return "\n".join(said)
