"""tlog-policy: what is accepted, what each line is refused for, and what a quorum is."""

from __future__ import annotations

import hashlib
import string
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import MalformedError, VerificationError
from ledger.note import CosignatureSigner, NoteSigner, SignedNote, add_signatures
from ledger.witness import cosign_checkpoint
from ledger.witnessing.policy import (
    Policy,
    PolicyError,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
)


def log_signer(name: str, seed: int = 0) -> NoteSigner:
    return NoteSigner(name, PrivateKey.from_seed(b"log" + bytes([seed]) + b"-" * 28))


def witness_signer(number: int) -> CosignatureSigner:
    return CosignatureSigner(
        f"w{number}.example", PrivateKey.from_seed(b"wit" + bytes([number]) + b"-" * 28)
    )


LOG = log_signer("example.com/r1")
LOG_KEY = LOG.verifier_key.encode()
WITNESSES = [witness_signer(number) for number in range(6)]
VKEYS = [each.verifier_key.encode() for each in WITNESSES]

X_AND_Y = f"""\
# two organisations
log {LOG_KEY}

witness X1 {VKEYS[0]}
witness X2 {VKEYS[1]} https://x2.example/witness
\twitness  X3\t{VKEYS[2]}\x20
group X-witnesses 2 X1 X2 X3

  # the other one
witness Y1 {VKEYS[3]}
witness Y2 {VKEYS[4]}
witness Y3 {VKEYS[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def parse(text: str) -> Policy:
    return Policy.parse(text.encode())


def test_the_example_of_the_specification() -> None:
    policy = parse(X_AND_Y)
    assert policy.origins == (LOG.name,)
    assert policy.log_keys(LOG.name) == (LOG.verifier_key,)
    assert policy.log_keys("example.com/r2") == ()
    assert [each.name for each in policy.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    x2 = policy.witness("X2")
    assert x2 is not None
    assert x2.url == "https://x2.example/witness"
    assert policy.witness("X4") is None
    assert policy.groups[0] == PolicyGroup("X-witnesses", 2, ("X1", "X2", "X3"))
    names = [each.name for each in policy.witnesses]
    for count in range(7):
        for chosen in combinations(names, count):
            xs = sum(name.startswith("X") for name in chosen)
            ys = sum(name.startswith("Y") for name in chosen)
            assert policy.quorum_met(chosen) == (xs >= 2 and ys >= 1), chosen


def test_a_policy_is_written_as_it_is_read() -> None:
    policy = parse(X_AND_Y)
    assert Policy.parse(policy.encode()) == policy


def test_a_single_witness_and_none_are_quorums() -> None:
    one = parse(f"witness W {VKEYS[0]}\nquorum W\n")
    assert not one.quorum_met([])
    assert one.quorum_met(["W"])
    assert not one.quorum_met(["w", "X", ""])
    none = parse("quorum none\n")
    assert none.quorum_met([])
    assert none.logs == none.witnesses == none.groups == ()


def test_two_keys_of_one_origin_are_one_log() -> None:
    other = log_signer(LOG.name, 1)
    policy = parse(f"log {LOG_KEY}\nlog {other.verifier_key} https://r1.example\nquorum none\n")
    assert policy.origins == (LOG.name,)
    assert policy.log_keys(LOG.name) == (LOG.verifier_key, other.verifier_key)
    assert [log.url for log in policy.logs] == [None, "https://r1.example"]


def test_names_are_octets() -> None:
    """K, and the Kelvin sign, which some would fold into it; and bytes that are no UTF-8."""
    text = f"witness K {VKEYS[0]}\nwitness \u212a {VKEYS[1]}\n".encode()
    text += b"witness \xff\xfe " + VKEYS[2].encode() + b" http://\xe9/\n"
    text += b"group all all K \xe2\x84\xaa \xff\xfe\nquorum all\n"
    policy = Policy.parse(text)
    assert policy.quorum_met([each.name for each in policy.witnesses])
    assert not policy.quorum_met(["K", "k", "\u212a"])
    assert Policy.parse(policy.encode()) == policy
    # U+00A0 and U+3000 are no whitespace here.
    spaced = parse(f"witness a\u00a0b\u3000c {VKEYS[0]}\nquorum a\u00a0b\u3000c\n")
    assert spaced.witnesses[0].name == "a\u00a0b\u3000c"


W0, W1 = f"witness W0 {VKEYS[0]}", f"witness W1 {VKEYS[1]}"
L0 = f"log {LOG_KEY}"
SAME_AS_LOG = CosignatureSigner("w.example", LOG.private_key).verifier_key
RENAMED = CosignatureSigner("other.example", WITNESSES[0].private_key).verifier_key
LOG_RENAMED = NoteSigner("example.com/r9", LOG.private_key).verifier_key


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        ([], None, "no quorum line"),
        ([W0], None, "no quorum line"),
        ([W0, "quorum W0", "quorum W0"], 3, "second quorum"),
        (["quorum none", "quorum none"], 2, "second quorum"),
        (["quorum W0", W0], 1, "W0 is not defined above"),
        (["quorum"], 1, "quorum line of 0 items"),
        (["quorum none none"], 1, "quorum line of 2 items"),
        (["quorum None"], 1, "None is not defined"),
        ([W0, "quorum w0"], 2, "w0 is not defined"),
        ([L0, f"quorum {LOG.name}"], 2, "not defined"),
        (["log"], 1, "log line of 0 items"),
        ([f"{L0} url more"], 1, "log line of 3 items"),
        (["log nonsense"], 1, "verifier key is not"),
        ([f"log {LOG_KEY.replace(LOG.name, LOG.name[:-1])}"], 1, "key id"),
        ([f"log {VKEYS[0]}"], 1, "type 0x01"),
        ([L0, L0], 2, "is a log's above"),
        ([L0, f"log {LOG_RENAMED}"], 2, "is a log's above"),
        (["", "# c", L0, f"witness W {SAME_AS_LOG}"], 4, "is a log's above"),
        ([f"witness W {SAME_AS_LOG}", L0], 2, "is a witness's above"),
        (["witness W"], 1, "witness line of 1 items"),
        ([f"{W0} url more"], 1, "witness line of 4 items"),
        ([f"witness W {LOG_KEY}"], 1, "type 0x04"),
        ([W0, W0], 2, "W0 is defined twice"),
        ([W0, f"witness W1 {VKEYS[0]}"], 2, "is a witness's above"),
        ([W0, f"witness W1 {RENAMED}"], 2, "is a witness's above"),
        ([f"witness none {VKEYS[0]}"], 1, "none is taken"),
        ([W0, "group none any W0"], 2, "none is taken"),
        ([W0, "group W0 any W0"], 2, "W0 is defined twice"),
        ([W0, "group G any W0", W1, "group G any W1"], 4, "G is defined twice"),
        ([W0, "group W0x"], 2, "group line of 1 items"),
        ([W0, "group G any"], 2, "group line of 2 items"),
        ([W0, "group G 1"], 2, "group line of 2 items"),
        ([W0, "group G any none"], 2, "none is not defined"),
        ([W0, "group G any W1", W1], 2, "W1 is not defined"),
        ([W0, "group G any G"], 2, "G is not defined"),
        ([W0, "group G any W0 W0"], 2, "W0 is in a group already"),
        ([W0, "group G any W0", "group H any W0"], 3, "W0 is in a group already"),
        ([W0, W1, "group G any W0", "group H any G", "group I any G W1"], 5, "G is in a group"),
        ([W0, "group G 0 W0"], 2, "asks for 0 of 1"),
        ([W0, "group G 2 W0"], 2, "asks for 2 of 1"),
        ([W0, "group G 01 W0"], 2, "no number"),
        ([W0, "group G +1 W0"], 2, "no number"),
        ([W0, "group G 1.0 W0"], 2, "no number"),
        ([W0, "group G ANY W0"], 2, "no number"),
        ([W0, "group G \u0661 W0"], 2, "no number"),
        ([W0, f"group G {'9' * 40} W0"], 2, "no number"),
        (["Quorum none"], 1, "cannot begin with 'Quorum'"),
        (["quorum none # a remark"], 1, "quorum line of 4 items"),
        (["\ufeffquorum none"], 1, "cannot begin with"),
        (["policy 1"], 1, "cannot begin with"),
        (["quorum none\r"], 1, "control character"),
        (["# \x00", "quorum none"], 1, "control character"),
        (["#\x7f", "quorum none"], 1, "control character"),
        (["\x0b", "quorum none"], 1, "control character"),
    ],
)
def test_a_line_is_refused_and_named(lines: list[str], line: int | None, said: str) -> None:
    text = "".join(each + "\n" for each in lines)
    with pytest.raises(PolicyError) as refused:
        parse(text)
    assert refused.value.line == line
    assert said in refused.value.message
    assert ("line" in refused.value.message.split(":")[0]) == (line is not None)


def test_a_file_that_was_cut_short_is_refused() -> None:
    """`quorum X-and-Y` cut after `X` must not become another policy."""
    for length in range(len(X_AND_Y)):
        with pytest.raises(PolicyError):
            parse(X_AND_Y[:length])
    with pytest.raises(PolicyError, match="newline") as refused:
        parse(f"{W0}\nquorum none")
    assert refused.value.line == 2
    with pytest.raises(PolicyError, match="longer"):
        parse("#" * 1_000_000 + "\nquorum none\n")


def test_a_policy_made_in_code_is_held_to_the_same_rules() -> None:
    key = WITNESSES[0].verifier_key
    w = PolicyWitness("W", key)
    assert Policy(witnesses=(w,), quorum="W").encode() == f"witness W {key}\nquorum W\n".encode()
    for wrong in (
        {"witnesses": (w, w)},
        {"witnesses": (PolicyWitness("W", LOG.verifier_key),)},
        {"logs": (PolicyLog(key),)},
        {"logs": (PolicyLog(LOG.verifier_key, "a b"),)},
        {"logs": (PolicyLog(LOG.verifier_key, ""),)},
        {"logs": (PolicyLog(NoteSigner("a\x7fb", LOG.private_key).verifier_key),)},
        {"witnesses": (PolicyWitness("a b", key),)},
        {"witnesses": (PolicyWitness("", key),)},
        {"witnesses": (PolicyWitness("W", key, "a b"),)},
        {"witnesses": (PolicyWitness("a\nquorum none", key),)},
        {"witnesses": (PolicyWitness("\ud800", key),)},
        {"witnesses": (w,), "groups": (PolicyGroup("G", 1, ()),)},
        {"witnesses": (w,), "groups": (PolicyGroup("G", 1, ("X",)),)},
        {"witnesses": (w,), "quorum": "X"},
    ):
        with pytest.raises(PolicyError):
            Policy(**wrong)  # type: ignore[arg-type]


def test_two_keys_that_a_note_could_not_tell_apart_are_refused() -> None:
    """One name and one key id of 4 bytes: found by trying some 39,000 keys."""
    seeds = [hashlib.sha256(b"collide%d" % number).digest() for number in (32401, 39216)]
    keys = [
        CosignatureSigner("w.example", PrivateKey.from_seed(seed)).verifier_key for seed in seeds
    ]
    assert keys[0].key_id == keys[1].key_id
    assert keys[0].public_key != keys[1].public_key
    with pytest.raises(PolicyError, match="name and key id") as refused:
        parse(f"witness a {keys[0]}\nwitness b {keys[1]}\nquorum none\n")
    assert refused.value.line == 2


def test_as_many_as_the_specification_asks_for() -> None:
    lines = [f"log {NoteSigner(f'l{n}', PrivateKey.generate()).verifier_key}" for n in range(40)]
    keys = [CosignatureSigner(f"w{n}", PrivateKey.generate()).verifier_key for n in range(40)]
    lines += [f"witness w{n} {key}" for n, key in enumerate(keys)]
    lines += ["group g0 any w0", *(f"group g{n} all g{n - 1} w{n}" for n in range(1, 40))]
    policy = parse("\n".join([*lines, "quorum g39"]) + "\n")
    assert policy.quorum_met([f"w{n}" for n in range(40)])
    assert not policy.quorum_met([f"w{n}" for n in range(39)])


# Checkpoints


def cosigned(*numbers: int) -> bytes:
    note = sign_checkpoint(Checkpoint(LOG.name, 5, bytes(32)), [LOG])
    for number in numbers:
        note = cosign_checkpoint(note, WITNESSES[number], 1_700_000_000)
    return note


def test_a_checkpoint_is_held_against_the_policy() -> None:
    policy = parse(X_AND_Y)
    verdict = policy.check(cosigned())
    assert (verdict.cosigned, verdict.quorum_met) == ((), False)
    assert verdict.checkpoint.checkpoint.size == 5
    assert not policy.check(cosigned(0, 1)).quorum_met
    verdict = policy.check(cosigned(2, 0, 4))
    assert sorted(verdict.cosigned) == ["X1", "X3", "Y2"]
    assert verdict.quorum_met


def test_strangers_do_not_count_and_wrong_signatures_are_refused() -> None:
    policy = parse(X_AND_Y)
    stranger = witness_signer(9)
    assert policy.check(cosign_checkpoint(cosigned(0), stranger, 5)).cosigned == ("X1",)
    # A witness's line from another checkpoint.
    other = WITNESSES[1].sign(Checkpoint(LOG.name, 6, bytes(32)).encode(), 5)
    note = SignedNote.parse(cosigned(0, 3))
    forged = SignedNote(note.text, add_signatures(note.signatures, [other])).encode()
    with pytest.raises(VerificationError):
        policy.check(forged)
    with pytest.raises(VerificationError):
        policy.check(
            sign_checkpoint(
                Checkpoint("example.com/r2", 5, bytes(32)), [log_signer("example.com/r2")]
            )
        )
    # A log's key signs for its own origin only.
    assert parse(f"{L0}\nquorum none\n").check(cosigned()).quorum_met


def test_one_witness_with_two_lines_counts_once() -> None:
    policy = parse(X_AND_Y.replace("group X-witnesses 2", "group X-witnesses all"))
    note = SignedNote.parse(cosigned(0, 1, 4))
    again = WITNESSES[0].sign(note.text, 1_700_000_001)
    twice = SignedNote(note.text, (*note.signatures, again)).encode()
    verdict = policy.check(twice)
    assert sorted(verdict.cosigned) == ["X1", "X2", "Y2"]
    assert not verdict.quorum_met


# Any policy, any bytes


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    count = draw(st.integers(0, 6))
    label = st.text(string.ascii_letters + string.digits + "-_#é", min_size=1, max_size=5)
    names = draw(st.lists(label.filter(lambda n: n != "none"), min_size=count + 4, unique=True))
    url = st.none() | st.just("https://w.example/x")
    witnesses = tuple(
        PolicyWitness(name, WITNESSES[number].verifier_key, draw(url))
        for number, name in enumerate(names[:count])
    )
    free = [each.name for each in witnesses]
    groups: list[PolicyGroup] = []
    for name in names[count : count + 4]:
        if not free:
            break
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        threshold = draw(st.integers(1, len(members)))
        groups.append(PolicyGroup(name, threshold, tuple(members)))
        free = [each for each in free if each not in members] + [name]
    defined = [each.name for each in witnesses] + [each.name for each in groups]
    quorum = draw(st.sampled_from([*defined, "none"]))
    return Policy((PolicyLog(LOG.verifier_key),), witnesses, tuple(groups), quorum)


def met_by_definition(policy: Policy, name: str, cosigned: set[str]) -> bool:
    """tlog-policy, "Defining a witness group", read from the quorum downwards."""
    for group in policy.groups:
        if group.name == name:
            met = [
                member for member in group.members if met_by_definition(policy, member, cosigned)
            ]
            return len(met) >= group.threshold
    return name == "none" or name in cosigned


@given(policies(), st.data())
def test_quorums_are_what_the_specification_defines(policy: Policy, data: st.DataObject) -> None:
    assert Policy.parse(policy.encode()) == policy
    names = [each.name for each in policy.witnesses]
    chosen = data.draw(st.sets(st.sampled_from(names))) if names else set()
    assert policy.quorum_met(chosen) == met_by_definition(policy, policy.quorum, chosen)
    # More cosignatures never hurt, and a stranger's name never helps.
    more = chosen | (data.draw(st.sets(st.sampled_from(names))) if names else set())
    assert policy.quorum_met(more) or not policy.quorum_met(chosen)
    groups = {each.name for each in policy.groups} - set(names)
    assert policy.quorum_met(chosen | groups) == policy.quorum_met(chosen)


WORDS = st.sampled_from(
    [*X_AND_Y.encode().split(), b"none", b"0", b"3", b" ", b"\t", b"\n", b"#", b"\r", b"\xff"]
)


@given(st.lists(WORDS, max_size=30).map(b" ".join) | st.binary(max_size=80))
def test_any_bytes_are_a_policy_or_a_typed_refusal(data: bytes) -> None:
    for text in (data, data + b"\n", data + b"\nquorum none\n"):
        try:
            policy = Policy.parse(text)
        except PolicyError as error:
            assert isinstance(error, MalformedError)
            continue
        assert Policy.parse(policy.encode()) == policy
