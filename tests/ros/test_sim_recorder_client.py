"""The simulator's client of a recorder hears every answer, however soon it comes."""

from __future__ import annotations

import json

from tests.ros.ros_process import Ros


def test_an_answer_that_comes_before_its_question_is_noted_is_heard(ros: Ros) -> None:
    found = json.loads(ros.run("python", "-m", "tests.ros.hesitant_client"))
    assert found == {"started": True, "finished": True, "refused": False, "cancelled": True}
