"""Episodes over ROS: the action ``~/record_episode``, and the services to mark and stop one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as Outcome
from typing import Any

from quipu_interfaces.action import RecordEpisode
from quipu_interfaces.srv import MarkEpisode
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from ledger.errors import LedgerError
from ledger.experience.kinds import RewardSource
from ledger.recording.episode import EpisodeEnd, EpisodeGoal, EpisodeOutcome
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.recorder import Recorder

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""For timers: under simulated time the node's own clock may stand still."""

_FEEDBACK_S = 0.2
_ORDER_TIMEOUT_S = 10.0

_ENDS = {
    EpisodeEnd.STOPPED: RecordEpisode.Result.ENDED_STOPPED,
    EpisodeEnd.DURATION: RecordEpisode.Result.ENDED_DURATION,
    EpisodeEnd.SHUTDOWN: RecordEpisode.Result.ENDED_SHUTDOWN,
}


class EpisodeServer:
    """Serves the episodes of a node's recorder; ``recorder`` is None while it is not active.

    ``settle`` has everything handed on that was published before an episode ends.
    """

    def __init__(
        self,
        node: Node,
        recorder: Callable[[], Recorder | None],
        settle: Callable[[], None],
    ) -> None:
        self._node = node
        self._recorder = recorder
        self._settle = settle
        self._cancelled = False
        group = ReentrantCallbackGroup()
        self._action = ActionServer(
            node,
            RecordEpisode,
            "~/record_episode",
            execute_callback=self._execute,
            goal_callback=self._goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=group,
        )
        self._services = [
            node.create_service(MarkEpisode, "~/mark_episode", self._mark, callback_group=group),
            node.create_service(Trigger, "~/stop_episode", self._stop, callback_group=group),
        ]

    def close(self) -> None:
        """Serve no more."""
        for service in self._services:
            self._node.destroy_service(service)
        self._action.destroy()

    def _goal(self, request: RecordEpisode.Goal) -> GoalResponse:
        # Always accepted: a result says why there is no episode, a rejection could not.
        return GoalResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> RecordEpisode.Result:
        request = handle.request
        recorder = self._recorder()
        try:
            if recorder is None:
                return _refused(handle, "the recorder is not active")
            goal = EpisodeGoal(
                request.name, request.task, tuple(request.tags), float(request.max_duration_s)
            )
            outcome = recorder.start_episode(goal, _ORDER_TIMEOUT_S)
        except LedgerError as error:
            return _refused(handle, str(error))
        self._cancelled = False
        executor = self._node.executor
        ended: Future = Future(executor=executor)
        # As a task: what another thread sets does not wake the executor.
        outcome.add_done_callback(lambda _: executor.create_task(ended.set_result, None))
        timer = self._node.create_timer(
            _FEEDBACK_S, lambda: self._tell(handle, recorder, ended), clock=STEADY
        )
        try:
            await ended
        finally:
            self._node.destroy_timer(timer)
        return self._result(handle, outcome)

    def _tell(self, handle: ServerGoalHandle, recorder: Recorder, ended: Future) -> None:
        if handle.is_cancel_requested and not self._cancelled and not ended.done():
            self._cancelled = True
            self._settle()
            try:
                recorder.stop_episode(_ORDER_TIMEOUT_S)
            except LedgerError as error:
                self._node.get_logger().warning(f"the episode cannot be stopped: {error}")
        progress = recorder.status().episode
        if progress is not None:
            handle.publish_feedback(
                RecordEpisode.Feedback(
                    elapsed_s=progress.elapsed_s,
                    messages=progress.messages,
                    bytes=progress.bytes,
                    dropped=max(0, progress.lost),
                    marked=bool(progress.marks),
                )
            )

    def _result(
        self, handle: ServerGoalHandle, outcome: Outcome[EpisodeOutcome]
    ) -> RecordEpisode.Result:
        result = RecordEpisode.Result()
        try:
            done = outcome.result(0)
        except LedgerError as error:
            result.error_code = RecordEpisode.Result.FAILED
            result.ended_by = RecordEpisode.Result.ENDED_FAILURE
            result.error_msg = f"{error}; what was written is kept and sealed at the next start"
            handle.abort()
            return result
        result.ended_by = _ENDS[done.end]
        if self._cancelled:
            result.ended_by = RecordEpisode.Result.ENDED_CANCELLED
        if done.sealed is None:
            result.error_code = RecordEpisode.Result.FAILED
            result.error_msg = "nothing was recorded, so nothing was committed"
        else:
            result.entry_index = done.sealed.receipt.index
            result.bytes = done.sealed.size
            result.messages = done.sealed.messages
            result.leaf_hash = done.sealed.leaf_hash
        if handle.is_cancel_requested:
            handle.canceled()
        elif done.sealed is None:
            handle.abort()
        else:
            handle.succeed()
        return result

    def _mark(self, request: Any, response: Any) -> Any:
        recorder = self._recorder()
        status = recorder.status() if recorder else None
        if recorder is None or status is None or status.episode is None:
            response.error_code = MarkEpisode.Response.NO_EPISODE
            response.error_msg = "no episode is being recorded"
            return response
        try:
            recorder.mark_episode(_marks(request), _ORDER_TIMEOUT_S)
        except (LedgerError, ValueError) as error:
            response.error_code = MarkEpisode.Response.REFUSED
            response.error_msg = str(error)
        return response

    def _stop(self, request: Any, response: Any) -> Any:
        recorder = self._recorder()
        try:
            if recorder is None:
                response.message = "the recorder is not active"
                return response
            self._settle()
            recorder.stop_episode(_ORDER_TIMEOUT_S)
            response.success = True
            response.message = "stopped; the action's result tells when it is committed"
        except LedgerError as error:
            response.message = str(error)
        return response


def _marks(request: Any) -> EpisodeMarks:
    source = RewardSource(request.reward_source)
    return EpisodeMarks(
        success=request.success if request.has_success else None,
        reward=request.reward if request.has_reward else None,
        source=source,
    )


def _refused(handle: ServerGoalHandle, why: str) -> RecordEpisode.Result:
    handle.abort()
    return RecordEpisode.Result(error_code=RecordEpisode.Result.REFUSED, error_msg=why)
