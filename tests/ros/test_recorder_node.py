"""The recorder node against real publishers, as a process, over the socket of a home's owner."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcap.reader import make_reader

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience
from ledger.fsck import AuditRequest, Depth, audit_home
from ledger.home import create_home, open_home
from ledger.merkle.hashing import leaf_hash
from tests.ledger.memory.owner_process import owner_process
from tests.ros.ros_process import ROOT, Ros, Running

HIDE = """
import sys
sys.modules["actionlib_msgs"] = sys.modules["actionlib_msgs.msg"] = None
from quipu_nodes.recorder import main
sys.exit(main())
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    create_home(tmp_path / "home", "example.com/r1")
    return tmp_path / "home"


@contextmanager
def recorder(ros: Ros, home: Path, *parameters: str) -> Iterator[Running]:
    """A recorder of everything in /r1, ready."""
    values = [f"home:={home}", "topics_regex:=['^/r1/']", *parameters]
    arguments = [word for value in values for word in ("-p", value)]
    with ros.start("python", "-c", HIDE, "--ros-args", "-r", "__ns:=/r1", *arguments) as running:
        wait_for(running, "recording /r1/recorder/transition_event")
        yield running


def wait_for(running: Running, text: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while text not in running.output:
        if running.process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"it never said {text!r}:\n{running.output}")
        time.sleep(0.02)


def stop(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.wait(60) == 0, running.output


def segments(home: Path) -> list[Experience]:
    with open_home(home) as opened:
        kinds = [parse_entry(opened.log.entry(index)).kind for index in range(opened.log.size)]
    return [kind for kind in kinds if isinstance(kind, Experience)]


def counts(home: Path, experience: Experience) -> Counter[tuple[str, str]]:
    root = experience.content_root
    path = home / "content" / root[:1].hex() / root.hex() / experience.files[0].name
    found: Counter[tuple[str, str]] = Counter()
    with path.open("rb") as stream:
        for schema, channel, message in make_reader(stream).iter_messages():
            assert schema is not None
            assert message.log_time > 10**18
            assert 0 <= message.log_time - message.publish_time < 60 * 10**9
            found[channel.topic.rpartition("/")[2], schema.name.rpartition("/")[2]] += 1
    return found


def require_sound(home: Path) -> None:
    report = audit_home(AuditRequest(home, home.parent / "published", Depth.DEEP))
    assert report.ok, [finding.message for finding in report.findings]


def test_real_publishers(ros: Ros, home: Path) -> None:
    with owner_process(home), recorder(ros, home, "exclude_regex:=['not_wanted']") as running:
        said = ros.run(
            "python", ROOT / "tests/ros/recorder_publishers.py", "/r1", "1.5", timeout=60
        )
        stop(running)
        output = running.output
    published = json.loads(said)
    (experience,) = segments(home)
    found = counts(home, experience)
    for name in ("reliable", "late", "latched"):
        assert found[name, "String"] == published[name], name
    # One publisher of it is best effort, so the subscription is; a loaded machine loses some.
    for name in ("best_effort", "mixed"):
        assert published[name] * 0.5 < found[name, "String"] <= published[name], name
    assert found["mixed", "String"] > published["reliable"]  # both of its publishers
    assert (found["changing", "String"], found["changing", "Int32"]) == (1, 1)
    assert found["big", "UInt8MultiArray"] == 1
    names = {name for name, _ in found}
    assert not names & {"silent", "uncovered", "_hidden", "not_wanted"}
    assert "/r1/uncovered is not recorded" in output
    assert "/r1/mixed: a publisher that came later offers less" in output
    require_sound(home)


def test_definitions_hashes_and_offers(ros: Ros, home: Path) -> None:
    with owner_process(home), recorder(ros, home) as running:
        time.sleep(1)
        stop(running)
    (experience,) = segments(home)
    root = experience.content_root
    path = home / "content" / root[:1].hex() / root.hex() / experience.files[0].name
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    (channel,) = summary.channels.values()
    (schema,) = summary.schemas.values()
    assert channel.topic == "/r1/recorder/transition_event"
    assert channel.metadata["topic_type_hash"].startswith("RIHS01_")
    assert "reliability: reliable" in channel.metadata["offered_qos_profiles"]
    text = schema.data.decode()
    assert (schema.name, schema.encoding) == ("lifecycle_msgs/msg/TransitionEvent", "ros2msg")
    assert "=" * 80 + "\nMSG: lifecycle_msgs/State\n" in text
    assert "# The time point at which this event occurred." in text


def test_episodes(ros: Ros, home: Path) -> None:
    box = ("continuous:=false", "black_box.seconds:=5.0", "black_box.after_s:=0.2")
    with (
        owner_process(home),
        recorder_without_segments(ros, home, *box) as running,
        ros.start("python", ROOT / "tests/ros/recorder_client.py", "/r1/recorder") as client,
    ):
        wait_for(client, "trigger_again", 60)
        stop(running)
        assert client.wait(60) == 0, client.output
        lines = [line for line in client.output.splitlines() if line.startswith("{")]
    answers, last = (json.loads(line) for line in lines)
    assert answers["mark_without"]["error_code"] == 1
    assert answers["stop_without"]["success"] is False
    assert answers["while_one_is_on"]["error_code"] == 1
    assert answers["while_one_is_on"]["status"] == 6  # aborted
    assert answers["mark"]["error_code"] == 0
    assert answers["mark_no_source"]["error_code"] == 2
    assert answers["mark_no_such_source"]["error_code"] == 2
    assert answers["stop"]["success"] is True
    feedback = answers["feedback"]
    assert (feedback["messages"], feedback["marked"], feedback["dropped"]) == (40, True, 0)
    for name, ended_by, messages, status in (
        ("stopped", 1, 40, 4),
        ("cancelled", 2, 10, 5),
        ("timed", 3, 10, 4),
    ):
        answer = answers[name]
        assert (answer["ended_by"], answer["messages"]) == (ended_by, messages), answer
        assert (answer["error_code"], answer["status"]) == (0, status)
        with open_home(home) as opened:
            assert leaf_hash(opened.log.entry(answer["entry_index"])).hex() == answer["leaf_hash"]
    assert answers["empty"]["error_code"] == 2
    assert answers["empty"]["leaf_hash"] == ""
    assert answers["trigger"] == {"success": True, "message": "written"}
    assert answers["trigger_again"]["success"] is False
    assert (last["ended_by"], last["messages"], last["error_code"]) == (4, 10, 0)
    assert len(last["leaf_hash"]) == 64
    made = segments(home)
    assert [each.name for each in made if ("kind", "episode") in tags(each)] == [
        "pick_up",
        "cancelled",
        "timed",
        "at the end",
    ]
    assert [one.kind.name for one in made[0].commitments] == ["REWARD", "SUCCESS", "LENGTH"]
    assert {("tag", "kitchen"), ("task", "pick up the cup")} <= tags(made[0])
    assert sum(("kind", "black_box") in tags(each) for each in made) == 1
    require_sound(home)


def tags(experience: Experience) -> set[tuple[str, str]]:
    return {(tag.key, tag.value) for tag in experience.tags}


@contextmanager
def recorder_without_segments(ros: Ros, home: Path, *parameters: str) -> Iterator[Running]:
    """A recorder of /r1/chatter alone, ready."""
    values = [f"home:={home}", "topics:=['chatter']", *parameters]
    arguments = [word for value in values for word in ("-p", value)]
    with ros.start(
        "python", "-m", "quipu_nodes.recorder", "--ros-args", "-r", "__ns:=/r1", *arguments
    ) as running:
        yield running


def test_killed_and_started_again(ros: Ros, home: Path) -> None:
    with owner_process(home):
        with recorder(ros, home, "progress_period_s:=0.1") as running:
            ros.run("python", ROOT / "tests/ros/recorder_publishers.py", "/r1", "0.5", timeout=60)
            running.kill()
        assert segments(home) == []
        with recorder(ros, home) as running:
            until = time.monotonic() + 60
            while not segments(home):
                assert time.monotonic() < until, running.output
                time.sleep(0.05)
            stop(running)
    recovered, again = segments(home)
    assert ("recovered", "true") in tags(recovered)
    assert ("recovered", "true") not in tags(again)
    found = counts(home, recovered)
    assert found["reliable", "String"] > 3
    assert found["big", "UInt8MultiArray"] == 1
    require_sound(home)


def test_overrides_and_an_offer_that_is_not_heard(ros: Ros, home: Path, tmp_path: Path) -> None:
    overrides = tmp_path / "qos.yaml"
    overrides.write_text(
        "/r1/best_effort: {reliability: reliable, history: keep_last, depth: 10}\n"
        "/r1/reliable: {reliability: best_effort}\n"
    )
    with owner_process(home), recorder(ros, home, f"qos_overrides:={overrides}") as running:
        publishers = ("python", ROOT / "tests/ros/recorder_publishers.py", "/r1", "0.3")
        ros.run(*publishers, "best_effort", timeout=60)
        stop(running)
        output = running.output
    (experience,) = segments(home)
    found = counts(home, experience)
    assert ("best_effort", "String") not in found
    assert "/r1/best_effort: publishers not heard: offers best_effort" in output
    assert found["reliable", "String"] > 2


def test_parameters_that_make_no_sense(ros: Ros, home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("/a: {reliability: perhaps}\n")
    for parameter, said in (
        (f"qos_overrides:={broken}", "reliability cannot be 'perhaps'"),
        ("topics_regex:=['(']", "is no regular expression"),
        ("compression:=rar", "rar"),
    ):
        with recorder_without_segments(ros, home, parameter) as running:
            assert running.wait(60) == 1
            assert said in running.output
