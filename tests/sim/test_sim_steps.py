"""Steps that were recorded are read back as they were, and only attempts that are whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import Writer
from quipu_sim import messages
from quipu_sim.attempts import AttemptsSummary, main, record_attempts
from quipu_sim.recording import TYPES
from quipu_sim.sensors import RANGE_MAX
from quipu_sim.steps import StepsError, read_attempts
from quipu_sim.task import OBSERVATION_SIZE

START_NS = 1_700_000_000_000_000_000
SECONDS = 40.0

Change = Callable[[str, int, bytes], list[tuple[int, bytes]]]
"""Of a message: its topic, its number among those of the topic, its CDR; what is recorded
instead, each with nanoseconds by which it was received later."""


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> AttemptsSummary:
    bag = tmp_path_factory.mktemp("attempts") / "drive"
    return record_attempts(bag, seconds=SECONDS, seed=3, start_ns=START_NS)


def recorded_anew(drive: AttemptsSummary, path: Path, change: Change) -> Path:
    """The steps of a drive once more, each message as ``change`` has it, as an MCAP file."""
    received: list[tuple[int, int, int, bytes]] = []
    with path.open("wb") as stream, next(drive.bag.glob("*.mcap")).open("rb") as old:
        writer = Writer(stream)
        writer.start(profile="ros2")
        channels: dict[str, int] = {}
        counts: dict[str, int] = {}
        for schema, channel, message in make_reader(old).iter_messages():
            assert schema is not None
            name = channel.topic.rpartition("/")[2]
            if name not in ("observation", "action", "reward", "done"):
                continue
            if name not in channels:
                kind = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[name] = writer.register_channel(channel.topic, "cdr", kind)
            number = counts[name] = counts.get(name, -1) + 1
            for later, data in change(name, number, message.data):
                stamp = message.publish_time
                received.append((stamp + later, channels[name], stamp, data))
        for log_time, number, stamp, data in sorted(received):
            writer.add_message(number, log_time, data, stamp)
        writer.finish()  # type: ignore[no-untyped-call]
    return path


def as_it_was(name: str, number: int, data: bytes) -> list[tuple[int, bytes]]:
    return [(0, data)]


def test_every_whole_attempt_is_read_with_what_it_was_worth(drive: AttemptsSummary) -> None:
    attempts = read_attempts([drive.bag])
    assert len(attempts) == sum(drive.outcomes.values()) >= 5
    assert sum(attempt.reward for attempt in attempts) == pytest.approx(drive.reward, rel=1e-5)
    for attempt in attempts:
        assert attempt.observations.shape == (len(attempt.actions), OBSERVATION_SIZE)
        assert (attempt.observations[:, 5:] <= RANGE_MAX).all()
        bearing = attempt.observations[:, 1] ** 2 + attempt.observations[:, 2] ** 2
        assert bearing == pytest.approx(1.0, abs=1e-6)
        # It moved in every step that is kept, and came nearer all in all.
        assert (np.abs(attempt.actions).sum(axis=1) > 0).all()
        assert attempt.observations[-1, 0] < attempt.observations[0, 0]


def test_all_the_messages_of_the_contract_are_in_the_bag(drive: AttemptsSummary) -> None:
    steps = drive.messages["/robot/observation"]
    assert steps == drive.messages["/robot/done"] == drive.messages["/robot/action"]
    assert drive.messages["/robot/odom"] == 50 * SECONDS
    assert drive.messages["/robot/scan"] == 10 * SECONDS
    assert drive.messages["/tf_static"] == 1


def test_the_same_arguments_give_the_same_bytes(drive: AttemptsSummary, tmp_path: Path) -> None:
    again = record_attempts(tmp_path / "drive", seconds=SECONDS, seed=3, start_ns=START_NS)
    for path in drive.bag.iterdir():
        assert (again.bag / path.name).read_bytes() == path.read_bytes()


def test_an_order_of_receipt_does_not_matter(drive: AttemptsSummary, tmp_path: Path) -> None:
    def jumbled(name: str, number: int, data: bytes) -> list[tuple[int, bytes]]:
        return [((number * 37 + len(name) * 13) % 11 * 25_000_000, data)]

    path = recorded_anew(drive, tmp_path / "jumbled.mcap", jumbled)
    assert_same(path, drive.bag)


def assert_same(one: Path, other: Path) -> None:
    first, second = read_attempts([one]), read_attempts([other])
    assert len(first) == len(second)
    for left, right in zip(first, second, strict=True):
        assert (left.observations == right.observations).all()
        assert (left.actions == right.actions).all()
        assert left.reward == right.reward


@pytest.mark.parametrize("topic", ["observation", "action", "reward", "done"])
def test_an_attempt_with_a_hole_is_left_out(
    drive: AttemptsSummary, tmp_path: Path, topic: str
) -> None:
    whole = read_attempts([drive.bag])
    # A step in the middle of the second attempt; each attempt has one step more than rows.
    lost = len(whole[0].actions) + 1 + len(whole[1].actions) // 2

    def holed(name: str, number: int, data: bytes) -> list[tuple[int, bytes]]:
        return [] if (name, number) == (topic, lost) else [(0, data)]

    left = read_attempts([recorded_anew(drive, tmp_path / "holed.mcap", holed)])
    assert [attempt.reward for attempt in left] == [
        attempt.reward for number, attempt in enumerate(whole) if number != 1
    ]


def test_an_attempt_whose_beginning_is_not_there_is_left_out(
    drive: AttemptsSummary, tmp_path: Path
) -> None:
    def late(name: str, number: int, data: bytes) -> list[tuple[int, bytes]]:
        return [(0, data)] if number >= 5 else []

    whole = read_attempts([drive.bag])
    left = read_attempts([recorded_anew(drive, tmp_path / "late.mcap", late)])
    assert [attempt.reward for attempt in left] == [attempt.reward for attempt in whole[1:]]


def test_segments_follow_each_other(drive: AttemptsSummary, tmp_path: Path) -> None:
    cut = len(read_attempts([drive.bag])[0].actions) // 2
    folder = tmp_path / "segments"
    folder.mkdir()
    recorded_anew(
        drive, folder / "a_0.mcap", lambda name, number, data: [(0, data)] if number < cut else []
    )
    recorded_anew(
        drive, folder / "a_1.mcap", lambda name, number, data: [(0, data)] if number >= cut else []
    )
    assert_same(folder, drive.bag)


def test_what_is_no_step_of_the_task_is_refused(drive: AttemptsSummary, tmp_path: Path) -> None:
    short = messages.numbers("observation", np.zeros(3))
    data = bytes(TYPES.serialize_cdr(short, messages.NUMBERS))

    def shortened(name: str, number: int, old: bytes) -> list[tuple[int, bytes]]:
        return [(0, data if name == "observation" else old)]

    def endless(name: str, number: int, old: bytes) -> list[tuple[int, bytes]]:
        reward = messages.number(math.inf)
        new = bytes(TYPES.serialize_cdr(reward, messages.NUMBER))
        return [(0, new if name == "reward" else old)]

    def cut(name: str, number: int, old: bytes) -> list[tuple[int, bytes]]:
        return [(0, old[:6] if name == "action" else old)]

    for change, what in ((shortened, "3 numbers"), (endless, "inf"), (cut, "malformed")):
        path = recorded_anew(drive, tmp_path / f"{change.__name__}.mcap", change)
        with pytest.raises(StepsError, match=what):
            read_attempts([path])
    assert_same(recorded_anew(drive, tmp_path / "same.mcap", as_it_was), drive.bag)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepsError, match="no MCAP file"):
        read_attempts([tmp_path])
    with pytest.raises(StepsError, match="cannot be read"):
        read_attempts([tmp_path / "missing.mcap"])
    (tmp_path / "text.mcap").write_text("no recording at all, but words")
    with pytest.raises(StepsError, match="cannot be read"):
        read_attempts([tmp_path])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = tmp_path / "drive"
    main([str(bag), "--seconds", "8", "--seed", "2", "--robot", "r4", "--empty"])
    assert '"/r4/observation"' in capsys.readouterr().out
    assert read_attempts([bag])
    with pytest.raises(SystemExit):
        main([str(bag)])
    with pytest.raises(SystemExit):
        main([str(tmp_path / "other"), "--seconds", "0"])
