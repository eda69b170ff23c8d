"""The picture, and what docs/simulate.md says of topics and parameters."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from quipu_sim import picture
from quipu_sim.contract import read_contract
from quipu_sim.simulation import Setting

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"


def test_the_page_shows_every_topic_as_it_is() -> None:
    for topic in read_contract().topics.values():
        rate = f"{topic.rate:g}" if topic.rate else "once"
        frame = (topic.frame or "").format(robot="r1")
        row = f"| `{topic.full_name('r1')}` | `{topic.type}` | {rate} |"
        assert row in PAGE
        line = next(line for line in PAGE.splitlines() if line.startswith(row))
        assert not frame or f"`{frame}`" in line
        for names in topic.transforms:
            assert all(f"`{name.format(robot='r1')}`" in line for name in names)


def test_the_page_names_every_parameter_and_no_other() -> None:
    source = (ROOT / "ros_ws/src/quipu_sim/quipu_sim/parameters.py").read_text(encoding="utf-8")
    (declared,) = (
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_DECLARED"
    )
    assert isinstance(declared, ast.Dict)
    names = [ast.literal_eval(key) for key in declared.keys if key is not None]
    table = PAGE.partition("| parameter |")[2].partition("\n\n")[0]
    assert [line.split("`")[1] for line in table.splitlines()[2:]] == names


def test_the_picture_shows_arena_and_tracks(tmp_path: Path) -> None:
    picture.main([str(tmp_path / "fleet.svg"), "--robots", "2", "--seconds", "2", "--seed", "3"])
    text = (tmp_path / "fleet.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314
    arena, tracks = picture.drive(Setting(("r1", "r2"), seed=3), 2.0)
    obstacles = [shape for shape in root if shape.get("class") == "obstacle"]
    assert len(obstacles) == len(arena.obstacles)
    drawn = [path.get("d") or "" for path in root.iter(f"{SVG}path")]
    assert len(drawn) == 2
    for path, track in zip(drawn, tracks, strict=True):
        (piece,) = track.pieces
        assert len(piece) == 2 * picture.SAMPLES
        assert path.count("L") == len(piece) - 1
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "2 seconds of 2 simulated robots, from above"


def test_a_robot_that_is_put_elsewhere_begins_another_piece() -> None:
    track = picture.Track()
    for point in ((0.0, 0.0), (0.1, 0.0), (3.0, 0.0), (3.1, 0.0)):
        track.add(point)
    assert track.pieces == [[(0.0, 0.0), (0.1, 0.0)], [(3.0, 0.0), (3.1, 0.0)]]


def test_no_picture_of_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        picture.main([str(tmp_path / "fleet.svg"), "--robots", "0"])
    assert "one robot or more" in capsys.readouterr().err
