"""One robot's recorder, as seen through ROS: an action to begin, services to mark and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from quipu_interfaces.action import RecordEpisode
from quipu_interfaces.srv import MarkEpisode
from rclpy.action import ActionClient
from std_srvs.srv import Trigger

from quipu_sim.recording_gate import Score
from quipu_sim.task import TIME_LIMIT

TASK: Final = "drive to a goal among obstacles"

# An episode that nobody ends, because the simulator was killed, ends itself: after so many
# seconds of the wall for each of its attempts.
_LONGEST: Final = 2 * TIME_LIMIT


class RecorderClient:
    """A `quipu_sim.recording_gate.RecorderPort` of the recorder at ``/ROBOT/recorder``.

    Called in any thread. The action is asked in the executor's alone: rclpy throws away an
    answer that is taken before the thread that asked has noted its question.
    """

    def __init__(
        self,
        node: Any,
        robot: str,
        tags: tuple[str, ...],
        heard: Callable[[], bool],
        attempts: int = 1,
    ) -> None:
        """``heard`` says whether subscribers have all that the robot has said."""
        recorder = f"/{robot}/recorder"
        self._node = node
        self._heard = heard
        self._tags = list(tags)
        self._longest = attempts * _LONGEST
        self._episodes = ActionClient(node, RecordEpisode, f"{recorder}/record_episode")
        self._mark = node.create_client(MarkEpisode, f"{recorder}/mark_episode")
        self._stop = node.create_client(Trigger, f"{recorder}/stop_episode")
        self._episode: _Episode | None = None

    def is_there(self) -> bool:
        """Whether action and services have been discovered."""
        return bool(
            self._episodes.server_is_ready()
            and self._mark.service_is_ready()
            and self._stop.service_is_ready()
        )

    def start(self, name: str) -> None:
        """Ask for an episode of this name to begin."""
        goal = RecordEpisode.Goal(
            name=name, task=TASK, tags=self._tags, max_duration_s=self._longest
        )
        self._episode = episode = _Episode()

        def ask() -> None:
            asked = self._episodes.send_goal_async(goal, feedback_callback=episode.goes_on)
            asked.add_done_callback(episode.answered)

        self._node.executor.create_task(ask)

    def started(self) -> bool | None:
        """Whether it has begun."""
        return self._episode.begun if self._episode else None

    def has_heard(self) -> bool:
        """Whether all that the robot has said is there."""
        return self._heard()

    def finish(self, score: Score | None) -> None:
        """Mark the episode, if there is a score, and end it."""
        if score is None:
            self._stop.call_async(Trigger.Request())
            return
        marks = MarkEpisode.Request(
            has_success=True,
            success=score.success,
            has_reward=True,
            reward=score.reward,
            reward_source=MarkEpisode.Request.SOURCE_TASK,
        )
        # One after the other: services promise no order.
        marked = self._mark.call_async(marks)
        marked.add_done_callback(lambda _: self._stop.call_async(Trigger.Request()))

    def finished(self) -> bool | None:
        """Whether it is committed."""
        return self._episode.committed if self._episode else None

    def forget(self) -> None:
        """Do not wait any more; an episode that begins after all is ended."""
        if self._episode:
            self._node.executor.create_task(self._episode.give_up)
        self._episode = None


class _Episode:
    """What is known of one episode. All of it happens in the executor's thread.

    A goal that is accepted may still be refused in its result: only feedback tells that
    the recorder is recording.
    """

    def __init__(self) -> None:
        self.begun: bool | None = None
        self.committed: bool | None = None
        self._goal: Any = None
        self._unwanted = False

    def give_up(self) -> None:
        """End it, unless it has begun: then it is ended already, or nobody hears."""
        self._unwanted = True
        if self._goal is not None and self.begun is None:
            self._goal.cancel_goal_async()

    def answered(self, future: Any) -> None:
        goal = future.result()
        if goal is None or not goal.accepted:
            self.begun = False
            return
        self._goal = goal
        if self._unwanted:
            goal.cancel_goal_async()
        else:
            goal.get_result_async().add_done_callback(self._ended)

    def goes_on(self, _feedback: Any) -> None:
        if self.begun is None:
            self.begun = True

    def _ended(self, future: Any) -> None:
        answer = future.result()
        none = RecordEpisode.Result.NONE
        self.committed = answer is not None and answer.result.error_code == none
        if self.begun is None:
            self.begun = False
