"""Hypothesis strategies for everything an entry can say."""

from __future__ import annotations

from hypothesis import strategies as st

from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.kinds import (
    Acquisition,
    Commitment,
    CommitmentKind,
    ContentRange,
    Erasure,
    Experience,
    File,
    KeyRetirement,
    KeyRotation,
    Kind,
    Progress,
    Pruning,
    RewardSource,
    Tag,
    Topic,
    Training,
)
from ledger.merkle.hashing import EMPTY_ROOT

uint64 = st.integers(0, 2**64 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
record_ids = st.binary(min_size=16, max_size=16)
names = st.lists(
    st.text("abcé~ ", min_size=1, max_size=8).filter(lambda part: part not in (".", "..")),
    min_size=1,
    max_size=3,
).map("/".join)

commitments = st.builds(
    Commitment,
    st.sampled_from(CommitmentKind),
    st.sampled_from([source for source in RewardSource if source.value]),
    st.binary(min_size=48, max_size=48),
    int64,
    st.integers(1, 2**64 - 1),
)


@st.composite
def content_ranges(draw: st.DrawFn) -> ContentRange:
    rows = sorted([draw(uint64), draw(uint64)])
    times = sorted([draw(int64), draw(int64)])
    return ContentRange(draw(record_ids), draw(names), *rows, *times)


@st.composite
def experiences(draw: st.DrawFn) -> Experience:
    # Files named by number: no two alike, none another's folder.
    sizes = draw(st.lists(st.integers(0, 2**40), max_size=4))
    files = tuple(File(f"{number}/{draw(names)}", size) for number, size in enumerate(sizes))
    ranges = draw(st.lists(content_ranges(), min_size=0 if files else 1, max_size=2))
    root = draw(st.binary(min_size=32, max_size=32).filter(lambda r: r != EMPTY_ROOT))
    times = sorted([draw(uint64), draw(uint64)])
    topics = draw(st.dictionaries(st.tuples(text, text), uint64, max_size=3))
    tags = draw(st.sets(st.tuples(text.filter(bool), text), max_size=3))
    hidden = draw(
        st.lists(commitments, max_size=3, unique_by=lambda c: (c.kind.value, c.source.value))
    )
    return Experience(
        record_id=draw(record_ids),
        start_ns=times[0],
        end_ns=times[1],
        content_root=(root if sum(sizes) else EMPTY_ROOT) if files else b"",
        content_size=sum(sizes),
        files=files,
        media_type=draw(text),
        name=draw(text),
        topics=tuple(Topic(*key, topics[key]) for key in sorted(topics)),
        tags=tuple(Tag(*tag) for tag in sorted(tags)),
        commitments=tuple(sorted(hidden, key=lambda c: (c.kind.value, c.source.value))),
        contract_id=draw(st.sampled_from([b"", bytes(range(32))])),
        ranges=tuple(ranges),
        message_count=draw(uint64),
    )


id_lists = st.sets(record_ids, min_size=1, max_size=4).map(lambda ids: tuple(sorted(ids)))
keys = st.binary(min_size=32, max_size=32)


@st.composite
def progress(draw: st.DrawFn) -> Progress:
    length = draw(uint64)
    count, tail = divmod(length, CHUNK_SIZE)
    root = draw(keys.filter(lambda root: root != EMPTY_ROOT)) if count else EMPTY_ROOT
    return Progress(draw(record_ids), count, root, length, draw(keys) if tail else b"")


# Up to 255 bytes of UTF-8, which has four a character at most.
names_of_logs = text.filter(bool)
acquisitions = st.builds(
    Acquisition,
    record_ids,
    keys,
    keys,
    keys,
    keys,
    st.integers(1, 2**32 - 1),
    names_of_logs,
    keys,
    keys,
)


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    model, *inputs = draw(st.lists(record_ids, min_size=2, max_size=5, unique=True))
    return Training(model, draw(names_of_logs), tuple(sorted(inputs)))


kinds: st.SearchStrategy[Kind] = st.one_of(
    experiences(),
    st.builds(Erasure, id_lists, text),
    st.builds(Pruning, id_lists, text),
    st.builds(KeyRotation, keys, st.binary(min_size=64, max_size=64)),
    st.builds(KeyRetirement, keys),
    progress(),
    acquisitions,
    trainings(),
)
