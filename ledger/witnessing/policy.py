"""Policies: which logs, which witnesses, and how many are enough (C2SP tlog-policy).

A policy is a text file. ``#`` starts a comment line; items are separated by spaces
and tabs; every line ends in a newline::

    log <vkey> [<url>]                  a log that is followed, type 0x01
    witness <name> <vkey> [<url>]       a witness, type 0x04; the name is the file's own
    group <name> all|any|<k> <name>...  k of these witnesses or groups, defined above
    quorum <name>|none                  exactly once

A checkpoint satisfies a policy if a listed log signed it and the quorum cosigned it.
Two lines of one origin are two keys of one log, as during a key rotation.

A name stands in at most one group, so a witness counts in one way only; groups name
what is defined above them, so there are no circles. Where tlog-policy is silent we
refuse what could only be a mistake: a public key that is a log's and a witness's, a
last line without its newline (a file cut short).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.canonical import decode_number
from ledger.checkpoint import VerifiedCheckpoint, open_checkpoint
from ledger.ed25519 import PublicKey
from ledger.errors import LedgerError, MalformedError
from ledger.note import KeyKind, VerifierKey

MAX_POLICY_SIZE: Final = 1_000_000
"""Longest policy that is read, in bytes."""

NO_QUORUM: Final = "none"
"""The name that asks for no cosignature."""

# tlog-policy, "Character set": tab, newline, 0x20-0x7E and 0x80-0xFF.
_PRINTABLE: Final = frozenset(range(0x21, 0x7F)) | frozenset(range(0x80, 0x100))
_ALLOWED: Final = _PRINTABLE | frozenset(b"\t ")

_FORMS: Final = {
    "log": "log <vkey> [<url>]",
    "witness": "witness <name> <vkey> [<url>]",
    "group": "group <name> all|any|<k> <name>...",
    "quorum": "quorum <name>",
}


class PolicyError(MalformedError):
    """A policy that is refused; ``line`` is the number of the line, from 1, if there is one."""

    def __init__(self, message: str, *, line: int | None = None, hint: str | None = None) -> None:
        where = f"policy, line {line}" if line else "policy"
        super().__init__(f"{where}: {message}", hint=hint)
        self.line = line


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log: its key, whose name is its origin, and where it can be reached."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness: its name in this policy, its key, and its submission prefix."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """``threshold`` of ``members``, which are witnesses and earlier groups."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What a policy says of one checkpoint.

    ``cosigned`` are the names of the witnesses that signed it, in the policy's order.
    """

    checkpoint: VerifiedCheckpoint
    cosigned: tuple[str, ...]
    quorum_met: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses, groups in the order of their definition, and the quorum's name.

    Making one checks it: `PolicyError` says what is wrong with it.
    """

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[PolicyGroup, ...] = ()
    quorum: str = NO_QUORUM

    def __post_init__(self) -> None:
        names = _Names()
        for log in self.logs:
            names.add_log(log)
        for witness in self.witnesses:
            names.add_witness(witness)
        for group in self.groups:
            names.add_group(group)
        names.check_quorum(self.quorum)

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Read a policy file. Raises `PolicyError`, which names the line."""
        return _parse(data)

    def encode(self) -> bytes:
        """Write the policy as a file: logs, witnesses, groups, quorum."""
        lines = [_line("log", log.key.encode(), log.url) for log in self.logs]
        lines += [
            _line("witness", each.name, each.key.encode(), each.url) for each in self.witnesses
        ]
        for group in self.groups:
            lines.append(_line("group", group.name, str(group.threshold), *group.members))
        lines.append(_line("quorum", self.quorum))
        return "".join(lines).encode("utf-8", "surrogateescape")

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs' names, each once, in order."""
        return tuple(dict.fromkeys(log.key.name for log in self.logs))

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys that sign for a log; none for a log that is not listed."""
        return tuple(log.key for log in self.logs if log.key.name == origin)

    @property
    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """The witnesses' keys, in order."""
        return tuple(witness.key for witness in self.witnesses)

    def witness(self, name: str) -> PolicyWitness | None:
        """The witness of that name, if there is one."""
        return next((each for each in self.witnesses if each.name == name), None)

    def quorum_met(self, cosigned: Collection[str]) -> bool:
        """Whether the witnesses named in ``cosigned`` are enough."""
        met = {each.name for each in self.witnesses if each.name in cosigned}
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum == NO_QUORUM or self.quorum in met

    def check(self, note: bytes) -> PolicyVerdict:
        """Open a checkpoint with the policy's keys and say whether its quorum is met.

        Raises as `open_checkpoint` does: `MalformedError`; `VerificationError` if no
        listed log signed it or the signature of a listed key is wrong.
        """
        opened = open_checkpoint(note, [log.key for log in self.logs], self.witness_keys)
        signed = {signature.key for signature in opened.cosignatures}
        cosigned = tuple(each.name for each in self.witnesses if each.key in signed)
        return PolicyVerdict(opened, cosigned, self.quorum_met(cosigned))


class _Names:
    """What has been defined so far, and what may follow it."""

    def __init__(self) -> None:
        self._defined: set[str] = set()
        self._members: set[str] = set()
        self._roles: dict[PublicKey, str] = {}
        self._key_ids: set[tuple[str, bytes]] = set()

    def add_log(self, log: PolicyLog, line: int | None = None) -> None:
        if log.key.kind is not KeyKind.ED25519:
            raise PolicyError("a log's key is of type 0x01; this is a witness's", line=line)
        _check_item(log.url, "URL", line)
        self._add_key(log.key, "log", line)

    def add_witness(self, witness: PolicyWitness, line: int | None = None) -> None:
        if witness.key.kind is not KeyKind.COSIGNATURE_V1:
            raise PolicyError("a witness's key is of type 0x04; this is a log's", line=line)
        _check_item(witness.url, "URL", line)
        self._define(witness.name, line)
        self._add_key(witness.key, "witness", line)

    def add_group(self, group: PolicyGroup, line: int | None = None) -> None:
        for member in group.members:
            if member not in self._defined:
                raise PolicyError(
                    f"{member} is not defined above",
                    line=line,
                    hint="members are witnesses and groups of earlier lines",
                )
            if member in self._members:
                raise PolicyError(
                    f"{member} is in a group already",
                    line=line,
                    hint="a witness may count in one way only",
                )
            self._members.add(member)
        if not 1 <= group.threshold <= len(group.members):
            raise PolicyError(
                f"group {group.name} asks for {group.threshold} of {len(group.members)} members",
                line=line,
            )
        self._define(group.name, line)

    def check_quorum(self, quorum: str, line: int | None = None) -> None:
        if quorum != NO_QUORUM and quorum not in self._defined:
            raise PolicyError(
                f"the quorum {quorum} is not defined above",
                line=line,
                hint=f"name a witness, a group, or `{NO_QUORUM}`",
            )

    def _define(self, name: str, line: int | None) -> None:
        _check_item(name, "name", line)
        if name == NO_QUORUM:
            raise PolicyError(f"the name {NO_QUORUM} is taken", line=line)
        if name in self._defined:
            raise PolicyError(f"{name} is defined twice", line=line)
        self._defined.add(name)

    def _add_key(self, key: VerifierKey, role: str, line: int | None) -> None:
        _check_item(key.name, "key name", line)
        if key.public_key in self._roles:
            taken = self._roles[key.public_key]
            raise PolicyError(
                f"the public key of {key.name} is a {taken}'s above",
                line=line,
                hint="each line has a key of its own, and a witness's signs nothing else",
            )
        # Four bytes of hash: that two keys of one name share them is no accident.
        if (key.name, key.key_id) in self._key_ids:
            raise PolicyError(f"a key above has the name and key id of {key.name}", line=line)
        self._roles[key.public_key] = role
        self._key_ids.add((key.name, key.key_id))


def _check_item(item: str | None, what: str, line: int | None) -> None:
    if item is None:
        return
    try:
        octets = item.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise PolicyError(f"a {what} cannot be written", line=line) from None
    if not octets or not _PRINTABLE.issuperset(octets):
        raise PolicyError(f"a {what} is empty or holds a space or a control character", line=line)


def _line(*items: str | None) -> str:
    return " ".join(item for item in items if item is not None) + "\n"


def _parse(data: bytes) -> Policy:
    if len(data) > MAX_POLICY_SIZE:
        raise PolicyError(f"longer than {MAX_POLICY_SIZE} bytes")
    names = _Names()
    logs: list[PolicyLog] = []
    witnesses: list[PolicyWitness] = []
    groups: list[PolicyGroup] = []
    quorum: str | None = None
    for number, items in _read_lines(data):
        match items:
            case ["log", vkey, *url] if len(url) < 2:
                log = PolicyLog(_parse_vkey(vkey, number), *url)
                names.add_log(log, number)
                logs.append(log)
            case ["witness", name, vkey, *url] if len(url) < 2:
                witness = PolicyWitness(name, _parse_vkey(vkey, number), *url)
                names.add_witness(witness, number)
                witnesses.append(witness)
            case ["group", name, threshold, member, *others]:
                members = (member, *others)
                group = PolicyGroup(name, _parse_threshold(threshold, members, number), members)
                names.add_group(group, number)
                groups.append(group)
            case ["quorum", name]:
                if quorum is not None:
                    raise PolicyError("a second quorum line", line=number)
                names.check_quorum(name, number)
                quorum = name
            case [word, *_] if word in _FORMS:
                raise PolicyError(
                    f"a {word} line of {len(items) - 1} items", line=number, hint=_FORMS[word]
                )
            case [word, *_]:
                raise PolicyError(
                    f"a line cannot begin with {word!a}",
                    line=number,
                    hint=f"lines begin with {', '.join(_FORMS)} or #",
                )
    if quorum is None:
        raise PolicyError("no quorum line", hint=f"`quorum {NO_QUORUM}` asks for no cosignature")
    return Policy(tuple(logs), tuple(witnesses), tuple(groups), quorum)


def _read_lines(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Number and items of every line that is not empty and no comment."""
    *lines, rest = data.split(b"\n")
    if rest:
        raise PolicyError(
            "the last line does not end in a newline",
            line=len(lines) + 1,
            hint="is the file whole?",
        )
    for number, line in enumerate(lines, 1):
        if not _ALLOWED.issuperset(line):
            raise PolicyError("a control character", line=number, hint="lines end in LF alone")
        items = [item for item in line.replace(b"\t", b" ").split(b" ") if item]
        if items and not items[0].startswith(b"#"):
            # Octets stay what they are (tlog-policy, "Character set").
            yield number, [item.decode("utf-8", "surrogateescape") for item in items]


def _parse_vkey(vkey: str, line: int) -> VerifierKey:
    try:
        return VerifierKey.parse(vkey)
    except LedgerError as error:
        raise PolicyError(error.message, line=line) from None


def _parse_threshold(text: str, members: Collection[str], line: int) -> int:
    if text == "any":
        return 1
    if text == "all":
        return len(members)
    try:
        return decode_number(text, "threshold")
    except MalformedError:
        raise PolicyError(
            f"{text!a} is no number of members", line=line, hint="a number, `any` or `all`"
        ) from None
