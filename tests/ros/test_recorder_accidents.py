"""Two recorder processes on one home, a clock that jumps backwards, a topic that nobody says."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_typestore

from ledger.experience.kinds import Experience
from ledger.home import create_home
from tests.ledger.memory.owner_process import owner_process
from tests.ros.ros_process import ROOT, Ros
from tests.ros.test_recorder_node import require_sound, segments, stop, wait_for

TYPES = get_typestore(Stores.ROS2_JAZZY)
SPOKEN = [(second, number) for second in (100, 50, 100) for number in range(20)]


@pytest.fixture(scope="module")
def home(ros: Ros, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two recorders, both on simulated time, have made of it."""
    folder = tmp_path_factory.mktemp("accidents")
    root = folder / "home"
    with pytest.MonkeyPatch.context() as patched, ExitStack() as stack:
        patched.setenv("QUIPU_PUBLISHED", str(folder / "published"))
        create_home(root, "example.com/r1")
        stack.enter_context(owner_process(root))
        values = (f"home:={root}", "topics:=[said, nobody]", "use_sim_time:=true")
        given = [word for value in values for word in ("-p", value)]
        command = ["python", "-m", "quipu_nodes.recorder", "--ros-args", "-r", "__ns:=/r1"]
        running = [
            stack.enter_context(ros.start(*command, "-r", f"__node:={name}", *given))
            for name in ("one", "other")
        ]
        publisher = ("python", ROOT / "tests/ros/accident_publisher.py", "/r1/said", "2")
        ros.run(*publisher, timeout=90)
        for each in running:
            wait_for(each, "recording /r1/said")
            stop(each)
        for each in running:
            assert "nobody" not in each.output
            assert "recovered" not in each.output
    require_sound(root)
    return root


def recorded(home: Path, experience: Experience) -> list[tuple[int, str, int]]:
    """Sequence, text and log time in seconds of each message, in the order of the file."""
    root = experience.content_root
    path = home / "content" / root[:1].hex() / root.hex() / experience.files[0].name
    found = []
    with path.open("rb") as stream:
        for schema, channel, message in make_reader(stream).iter_messages(log_time_order=False):
            assert schema is not None
            assert channel.topic == "/r1/said"
            text = TYPES.deserialize_cdr(message.data, schema.name).data
            found.append((message.sequence, text, message.log_time // 10**9))
    return found


def test_two_recorders_on_one_home_each_have_all_of_it(home: Path) -> None:
    both = segments(home)
    assert len(both) == 2
    assert len({experience.record_id for experience in both}) == 2
    for experience in both:
        assert ("recovered", "true") not in {(tag.key, tag.value) for tag in experience.tags}
        texts = [text for _, text, _ in recorded(home, experience)]
        assert texts == [f"{second} {number}" for second, number in SPOKEN]


def test_a_clock_that_jumps_backwards_is_recorded_as_it_was(home: Path) -> None:
    for experience in segments(home):
        messages = recorded(home, experience)
        assert [number for number, _, _ in messages] == list(range(len(SPOKEN)))
        assert [second for _, _, second in messages] == [second for second, _ in SPOKEN]
        assert (experience.start_ns, experience.end_ns) == (50 * 10**9, 100 * 10**9)


def test_a_topic_without_publishers_is_waited_for_and_leaves_no_trace(home: Path) -> None:
    for experience in segments(home):
        assert [topic.name for topic in experience.topics] == ["/r1/said"]
