"""The plan: one process a robot, and parameters that ROS reads as the file meant them."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from ledger.fleet.config import read_fleet
from ledger.fleet.model import MAX_PARTICIPANTS, Fleet, Simulator
from ledger.fleet.plan import FleetPlan, Rank, Restart, plan_fleet

FLEET = """\
fleet: example.com/yard
directory: {directory}
domain_id: 42
discovery: localhost
simulator: mujoco
simulation: {{seed: 7}}
topics: [odom, /tf]
robots:
  - name: r1
    parameters: {{recorder: {{segment: {{max_duration_s: 5.0}}, compression: "off"}}}}
  - name: r2
    namespace: /yard/r2
    domain_id: 43
    topics: own
    prefix: [nice, -n, "5"]
  - name: r3
    topics: all
"""


def make(folder: Path, text: str = FLEET) -> Fleet:
    path = folder / "fleet.yaml"
    path.write_text(text.format(directory=folder / "made"), encoding="utf-8")
    return read_fleet(path)


def parameters(plan: FleetPlan, path: Path) -> dict[str, dict[str, object]]:
    document = YAML(typ="safe").load(plan.files[path])
    assert all(set(body) == {"ros__parameters"} for body in document.values())
    return {node: body["ros__parameters"] for node, body in document.items()}


def test_every_robot_is_one_process_beside_the_simulator(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    plan = plan_fleet(fleet, python="PY")
    assert [process.name for process in plan.processes] == ["simulator", "r1", "r2", "r3"]
    simulator, first, second, _ = plan.processes
    assert simulator.restart is Restart.ON_FAILURE
    assert simulator.rank > first.rank is Rank.ROBOT  # ended after the robots
    file = str(fleet.paths.parameters("r1"))
    expected = ("PY", "-m", "quipu_nodes.robot", "--ros-args", "-r", "__ns:=/r1")
    assert first.command == (*expected, "--params-file", file)
    assert second.command[:4] == ("nice", "-n", "5", "PY")
    assert second.environment["ROS_DOMAIN_ID"] == "43"
    for process in (simulator, first):
        assert process.environment["ROS_DOMAIN_ID"] == "42"
        assert process.environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert plan.participants == 4
    assert plan.crowded is None


def test_the_environment_stays_where_the_file_is_silent(tmp_path: Path) -> None:
    plan = plan_fleet(make(tmp_path, "fleet: f\nrobots: [{{name: r1}}]\n"))
    (process,) = plan.processes
    assert not {"ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"} & set(process.environment)


def test_parameters_reach_the_nodes_as_they_were_meant(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    plan = plan_fleet(fleet)
    first = parameters(plan, fleet.paths.parameters("r1"))
    assert set(first) == {"/r1/recorder", "/r1/memory", "/r1/witness"}
    assert first["/r1/recorder"] == {
        "home": str(fleet.robots[0].home),
        "topics": ["/r1/odom", "/tf"],
        "segment.max_duration_s": 5.0,
        "compression": "off",  # a word, not a truth value
    }
    assert isinstance(first["/r1/recorder"]["segment.max_duration_s"], float)
    assert first["/r1/memory"]["origin"] == "example.com/yard/r1"
    assert first["/r1/memory"]["policy"] == first["/r1/witness"]["policy"]
    second = parameters(plan, fleet.paths.parameters("r2"))
    assert second["/yard/r2/recorder"]["topics_regex"] == ["^/yard/r2/"]
    assert second["/yard/r2/recorder"]["topics"] == ["/tf", "/tf_static"]
    third = parameters(plan, fleet.paths.parameters("r3"))
    assert third["/r3/recorder"]["all_topics"] is True
    simulator = parameters(plan, fleet.paths.parameters("simulator"))
    assert simulator == {"/**": {"robots": ["r1", "yard/r2", "r3"], "seed": 7}}


def test_words_that_look_like_something_else_stay_words(tmp_path: Path) -> None:
    odd = ["yes", "1", "1.5", "null", "~", "a: b", "#x", "'", '"', "\\n", "é", "{}", "- x"]
    shown = ", ".join(f"p{n}: {word!r}" for n, word in enumerate(odd) if "'" not in word)
    text = f"fleet: f\ndirectory: {tmp_path}\nrobots: [{{name: r1, parameters: "
    text += f"{{memory: {{{shown}}}}}}}]\n"
    path = tmp_path / "fleet.yaml"
    path.write_text(text.replace("'\\\\n'", "'\\n'"), encoding="utf-8")
    fleet = read_fleet(path)
    found = parameters(plan_fleet(fleet), fleet.paths.parameters("r1"))["/r1/memory"]
    for number, word in enumerate(odd):
        if "'" not in word:
            assert found[f"p{number}"] == word


def test_some_robots_and_another_simulator_can_be_chosen(tmp_path: Path) -> None:
    fleet = make(tmp_path)
    plan = plan_fleet(fleet, only=["r2"], simulator=Simulator.NONE)
    assert [process.name for process in plan.processes] == ["r2"]
    assert list(plan.files) == [fleet.paths.parameters("r2")]
    gazebo = plan_fleet(fleet, simulator=Simulator.GAZEBO)
    assert [process.name for process in gazebo.processes] == ["r1", "r2", "r3"]


def test_a_crowd_is_warned_of(tmp_path: Path) -> None:
    rows = "".join(f"  - name: r{n}\n" for n in range(MAX_PARTICIPANTS + 1))
    fleet = make(tmp_path, f"fleet: f\ndirectory: {tmp_path}\nrobots:\n{rows}")
    assert "31 ROS participants" in str(plan_fleet(fleet).crowded)
    assert plan_fleet(fleet, only=["r1"]).crowded is None


ENGINE = """\
fleet: example.com/yard
directory: {directory}
domain_id: 42
simulator: mujoco
engine: {engine}
robots: [{{name: r1}}, {{name: r2}}]
"""


def engine(folder: Path, section: str) -> Fleet:
    return make(folder, ENGINE.replace("{engine}", section.replace("{", "{{").replace("}", "}}")))


def test_a_chain_of_its_own_is_a_process_between_simulator_and_robots(tmp_path: Path) -> None:
    fleet = engine(tmp_path, "{settlement: embedded, parameters: {block_period_s: 0.5}}")
    plan = plan_fleet(fleet, python="PY")
    assert [process.name for process in plan.processes] == ["simulator", "settlement", "r1", "r2"]
    simulator, settlement, robot, _ = plan.processes
    # Ended after the robots, whose last anchors it takes, and before the simulator.
    assert robot.rank < settlement.rank < simulator.rank
    file = fleet.paths.parameters("settlement")
    assert settlement.command == (
        *("PY", "-m", "quipu_nodes.settlement", "--ros-args"),
        *("--params-file", str(file)),
    )
    assert settlement.environment["ROS_DOMAIN_ID"] == "42"
    assert settlement.restart is Restart.ALWAYS
    chain = str(fleet.directory / "chain")
    assert parameters(plan, file) == {"/**": {"home": chain, "block_period_s": 0.5}}
    for name in ("r1", "r2"):
        memory = parameters(plan, fleet.paths.parameters(name))[f"/{name}/memory"]
        assert memory["anchor.trust"] == str(fleet.directory / "chain.trust")
        assert memory["anchor.socket"] == f"{chain}/chain.sock"
        assert "anchor.node" not in memory


def test_a_chain_of_others_has_a_gateway_or_is_heard(tmp_path: Path) -> None:
    fleet = engine(tmp_path, "{settlement: ./its/chain.sock, trust: its.trust}")
    plan = plan_fleet(fleet)
    socket = str(tmp_path / "its/chain.sock")
    assert parameters(plan, fleet.paths.parameters("settlement")) == {"/**": {"socket": socket}}
    memory = parameters(plan, fleet.paths.parameters("r1"))["/r1/memory"]
    assert (memory["anchor.socket"], memory["anchor.trust"]) == (
        socket,
        str(tmp_path / "its.trust"),
    )
    heard = engine(tmp_path, "{settlement: ros, trust: its.trust}")
    plan = plan_fleet(heard)
    assert [process.name for process in plan.processes] == ["simulator", "r1", "r2"]
    memory = parameters(plan, heard.paths.parameters("r1"))["/r1/memory"]
    assert (memory["anchor.node"], "anchor.socket" in memory) == ("/settlement", False)
