"""Whatever the order in which bytes come, files end and the follower dies: all is sealed, once."""

from __future__ import annotations

import io
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, Writer

from ledger.experience.kinds import Experience, Progress
from tests.ledger.follow.followed_home import Followed, complete_records


def written(seed: int) -> bytes:
    chance = random.Random(seed)
    stream = io.BytesIO()
    writer = Writer(
        stream,
        chunk_size=chance.choice([500, 5_000, 400_000]),
        compression=chance.choice(list(CompressionType)),
        use_chunking=chance.random() < 0.7,
    )
    writer.start("ros2", "test")
    schema = writer.register_schema("a", "ros2msg", b"string a")
    channel = writer.register_channel("/a", "cdr", schema)
    for number in range(chance.randrange(1, 60)):
        size = chance.choice([10, 1_000, 30_000])
        writer.add_message(channel, number, chance.randbytes(size), number)
    writer.finish()
    return stream.getvalue()


FILES = [written(seed) for seed in range(6)]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 3), st.floats(0.01, 1)),
        st.tuples(st.just("poll"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("die"), st.just(0), st.just(0)),
        st.tuples(st.just("close"), st.just(0), st.just(0)),
        st.tuples(st.just("end"), st.integers(0, 3), st.just(0)),
    ),
    max_size=25,
)


class Writers:
    """Four files, each with bytes still to come; held open until they end."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.rest = [chance.choice(FILES) for _ in range(4)]
        self.streams: dict[int, BinaryIO] = {}

    def write(self, number: int, part: float) -> None:
        if number not in self.streams:
            path = self.folder / f"bag_{number % 2}" / f"{number}.mcap"
            path.parent.mkdir(exist_ok=True)
            self.streams[number] = path.open("wb", buffering=0)
        count = int(len(self.rest[number]) * part)
        self.streams[number].write(self.rest[number][:count])
        self.rest[number] = self.rest[number][count:]

    def end(self, number: int) -> None:
        if number in self.streams and not self.streams[number].closed:
            self.write(number, 1)
            self.streams[number].close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.randoms(use_true_random=False))
def test_any_course(course: list[tuple[str, int, float]], chance: random.Random) -> None:
    folder = Path(tempfile.mkdtemp(prefix="quipu-follow-"))
    try:
        follow_a_course(folder, course, chance)
    finally:
        shutil.rmtree(folder)


def follow_a_course(
    folder: Path, course: list[tuple[str, int, float]], chance: random.Random
) -> None:
    followed = Followed(folder)
    writers = Writers(followed.bags, chance)
    for what, number, part in course:
        match what:
            case "write" if number not in writers.streams or not writers.streams[number].closed:
                writers.write(number, part)
            case "poll":
                followed.poll(number)
            case "die":
                followed.crash()
                followed.open()
            case "close":
                followed.close()
                followed.open()
            case "end":
                writers.end(number)
    for number in list(writers.streams):
        writers.end(number)
    followed.until_sealed(*{path.name for path in followed.bags.rglob("*.mcap")})
    followed.until(lambda: followed.follower.at_rest)
    files = {f"{path.parent.name}/{path.name}": path for path in followed.bags.rglob("*.mcap")}
    kinds = followed.log()
    sealed = Counter(kind.name for kind in kinds if isinstance(kind, Experience))
    assert sealed == Counter(files.keys())
    for kind in kinds:
        if isinstance(kind, Progress):
            (path,) = {event.path for event in followed.events if _is_of(event, kind.record_id)}
            assert kind.length in complete_records(path.read_bytes())
    followed.is_whole()


def _is_of(event: object, record_id: bytes) -> bool:
    return getattr(event, "record_id", None) == record_id
