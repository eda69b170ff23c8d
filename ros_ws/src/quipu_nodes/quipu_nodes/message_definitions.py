"""Message types by name, and the full text of their definitions as rosbag2 stores it.

``ros2msg``: the text of ``share/PACKAGE/msg/NAME.msg``, comments and all; then for each
type that it uses, however deep::

    ================================================================================
    MSG: PACKAGE/NAME
    its text

A type that has no ``.msg`` (or uses one that has none) is given as ``ros2idl``, from the
``.idl`` files, each headed ``IDL: PACKAGE/msg/NAME``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

_RULE: Final = "=" * 80
_BUILTIN: Final = {
    *("bool", "byte", "char", "float32", "float64", "string", "wstring"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
_FIELD: Final = re.compile(
    r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]", re.MULTILINE
)
_INCLUDE: Final = re.compile(r'^\s*#include\s+"([\w/]+)/(msg|srv|action)/(\w+)\.idl"', re.MULTILINE)
_FEEDBACK: Final = "_FeedbackMessage"

Share = Callable[[str], Path]


class TypeNotInstalledError(Exception):
    """The package of a message type is not installed, or has no such type."""


def message_type(name: str) -> type:
    """The Python class of a message type ``PACKAGE/msg/NAME``.

    Also of an action's feedback (``PACKAGE/action/NAME_FeedbackMessage``). Raises
    `TypeNotInstalledError`.
    """
    parts = name.split("/")
    if len(parts) != 3 or not all(part.isidentifier() for part in parts):
        raise TypeNotInstalledError(f"{name!r} is no name of a message type")
    package, kind, short = parts
    try:
        module = importlib.import_module(f"{package}.{kind}")
        if kind == "action" and short.endswith(_FEEDBACK):
            found = getattr(module, short.removesuffix(_FEEDBACK)).Impl.FeedbackMessage
        else:
            found = getattr(module, short)
    except (ImportError, AttributeError) as error:
        raise TypeNotInstalledError(f"{name} is not installed here") from error
    if not isinstance(found, type):
        raise TypeNotInstalledError(f"{name} is no message type")
    return found


def installed_share(package: str) -> Path:
    """Where a package has its files. Raises `FileNotFoundError`."""
    try:
        return Path(get_package_share_directory(package))
    except (PackageNotFoundError, ValueError) as error:
        raise FileNotFoundError(package) from error


def full_definition(name: str, share: Share = installed_share) -> tuple[str, str]:
    """Encoding and text of a type and all it uses; two empty texts where there is none."""
    package, kind, short = name.split("/")
    try:
        if kind == "msg":
            return "ros2msg", _concatenated(package, short, share)
    except (OSError, UnicodeDecodeError):
        pass
    try:
        return "ros2idl", _idl(package, kind, short, share)
    except (OSError, UnicodeDecodeError):
        return "", ""


def _concatenated(package: str, short: str, share: Share) -> str:
    texts: dict[tuple[str, str], str] = {}

    def add(owner: str, name: str) -> None:
        if (owner, name) in texts:
            return
        text = (share(owner) / "msg" / f"{name}.msg").read_text(encoding="utf-8")
        texts[owner, name] = text
        for used in _FIELD.findall(text):
            if used in _BUILTIN:
                continue
            parts = used.split("/")
            add(parts[0] if len(parts) > 1 else owner, parts[-1])

    add(package, short)
    (_, root), *others = texts.items()
    return _ended(root) + "".join(
        f"{_RULE}\nMSG: {owner}/{name}\n{_ended(text)}" for (owner, name), text in others
    )


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _idl(package: str, kind: str, short: str, share: Share) -> str:
    texts: dict[tuple[str, str, str], str] = {}

    def add(owner: str, folder: str, name: str) -> None:
        if (owner, folder, name) in texts:
            return
        text = (share(owner) / folder / f"{name}.idl").read_text(encoding="utf-8")
        texts[owner, folder, name] = text
        for used in _INCLUDE.findall(text):
            add(*used)

    add(package, kind, short.removesuffix(_FEEDBACK))
    return "\n".join(
        f"{_RULE}\nIDL: {owner}/{folder}/{name}\n{text}"
        for (owner, folder, name), text in texts.items()
    )
