"""Acquisitions over ROS: the action ``~/acquire_experience``, one goal at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future as Coming
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from quipu_interfaces.action import AcquireExperience
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from ledger.errors import LedgerError, MalformedError
from ledger.market.acquisition_states import Stage
from ledger.market.tools import Cancelled, Progress, Told
from ledger.market.wish import Mode, Wish
from quipu_nodes.acquiring import End, Outcome

RESULT = AcquireExperience.Result
FEEDBACK = AcquireExperience.Feedback

_ENDS: Final = {end: getattr(RESULT, end.name) for end in End}
_STAGES: Final = {
    Stage.BOUGHT: FEEDBACK.ARRIVED,
    Stage.KEPT: FEEDBACK.ENTERED,
    **{
        stage: getattr(FEEDBACK, stage.name)
        for stage in (
            Stage.WISHED,
            Stage.REQUESTED,
            Stage.GRANTED,
            Stage.FUNDED,
            Stage.CHANNEL_OPENED,
            Stage.STREAMING,
            Stage.SWAPPING,
            Stage.CLOSED,
        )
    },
}

Work: TypeAlias = Callable[["Goal", Told, Cancelled], Outcome]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a goal asks for."""

    wish: Wish
    again: bool
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when it is cancelled, and when the node ends."""


class AcquireServer:
    """Serves the action; ``work`` carries a goal out, on a thread of its own."""

    def __init__(self, node: Node, work: Work) -> None:
        self._node: Final = node
        self._work: Final = work
        self._lock: Final = threading.Lock()
        self._goal: Goal | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.progress: Progress | None = None
        """Of the goal that is being carried out, or was last."""
        self.last: Outcome | None = None
        self._action: Final = ActionServer(
            node,
            AcquireExperience,
            "~/acquire_experience",
            execute_callback=self._execute,
            goal_callback=lambda _: GoalResponse.ACCEPT,  # a result says why, a rejection cannot
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
        )

    @property
    def is_busy(self) -> bool:
        """Whether a goal is being carried out."""
        return self._goal is not None

    def close(self) -> None:
        """Stop what is being carried out between two chunks, and serve no more."""
        with self._lock:
            self._closed = True
            goal, thread = self._goal, self._thread
        if goal is not None:
            goal.stopped.set()
        if thread is not None:
            thread.join()
        self._action.destroy()

    async def _execute(self, handle: ServerGoalHandle) -> AcquireExperience.Result:
        try:
            goal = _goal_of(handle.request)
        except LedgerError as error:
            return _ended(handle, Outcome(End.FAILED, str(error)))
        with self._lock:
            if self._closed or self._goal is not None:
                why = "not active" if self._closed else "another acquisition is under way"
                return _ended(handle, Outcome(End.BUSY, why))
            coming: Coming[Outcome] = Coming()
            self._goal = goal
            self._thread = threading.Thread(
                target=self._run, args=(goal, handle, coming), name="quipu-acquire", daemon=True
            )
            self._thread.start()
        executor = self._node.executor
        ended: Future = Future(executor=executor)
        # As a task: what another thread sets does not wake the executor.
        coming.add_done_callback(lambda _: executor.create_task(ended.set_result, None))
        await ended
        return _ended(handle, coming.result(0))

    def _run(self, goal: Goal, handle: ServerGoalHandle, coming: Coming[Outcome]) -> None:
        def told(progress: Progress) -> None:
            self.progress = progress
            if progress.stage in _STAGES:
                handle.publish_feedback(_feedback(progress))

        try:
            outcome = self._work(goal, told, goal.stopped.is_set)
        except Exception as error:  # noqa: BLE001 - whoever waits for the result must hear of it
            self._node.get_logger().error(f"acquire failed: {type(error).__name__}: {error}")
            outcome = Outcome(End.FAILED, f"{type(error).__name__}: {error}")
        with self._lock:
            self._goal = None
        self.last = outcome
        coming.set_result(outcome)

    def _cancel(self, handle: Any) -> CancelResponse:
        goal = self._goal
        if goal is not None and goal.wish.offer == bytes(handle.request.offer):
            goal.stopped.set()
        return CancelResponse.ACCEPT


def _goal_of(request: Any) -> Goal:
    """What a goal asks for. Raises MalformedError for what no acquisition can be."""
    try:
        mode = Mode(request.mode)
    except ValueError:
        raise MalformedError(f"{request.mode} is no mode of an acquisition") from None
    wish = Wish(
        bytes(request.offer),
        request.purpose,
        max_price=int(request.max_price) or None,
        min_level=int(request.min_level) or None,
        role=request.role or None,
        mode=mode,
    )
    return Goal(wish, bool(request.again))


def _feedback(progress: Progress) -> AcquireExperience.Feedback:
    return FEEDBACK(
        stage=_STAGES[progress.stage],
        kept=progress.kept,
        opened=progress.opened,
        chunks=progress.units,
        kept_bytes=progress.kept_bytes,
        bytes=progress.bytes,
        paid=progress.paid,
        price=progress.price,
    )


def _ended(handle: ServerGoalHandle, outcome: Outcome) -> AcquireExperience.Result:
    if outcome.end in (End.KEPT, End.BOUGHT):
        handle.succeed()
    elif handle.is_cancel_requested:
        handle.canceled()
    else:
        handle.abort()
    return RESULT(
        outcome=_ENDS[outcome.end],
        error_msg=outcome.words,
        result_code=outcome.code,
        grant=outcome.grant,
        record_id=outcome.record_id,
        entry_index=outcome.index,
        folder=str(outcome.folder or ""),
        paid=outcome.paid,
    )
