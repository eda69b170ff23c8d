"""What a recorder says on ``/diagnostics``: one status, ``<node>: recording``."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from ledger.recording.status import RecorderState, RecorderStatus
from quipu_nodes.topic_subscriptions import HearingReport

_ERRORS = {RecorderState.DISK_FULL, RecorderState.DISK_FAILED}


def recording_status(
    node: str, robot: str, status: RecorderStatus | None, heard: HearingReport | None, lost_new: int
) -> DiagnosticStatus:
    """The status of the node with the full name ``node``.

    ``lost_new`` is how many messages were lost since the last one. A node that is not
    active has neither status nor report.
    """
    message = DiagnosticStatus(name=f"{node}: recording", hardware_id=robot)
    if status is None or heard is None:
        message.level = DiagnosticStatus.OK
        message.message = "not active"
        message.values = [KeyValue(key="state", value="inactive")]
        return message
    message.level, message.message = _verdict(status, heard, lost_new)
    message.values = [KeyValue(key=key, value=value) for key, value in _facts(status, heard)]
    return message


def _verdict(status: RecorderStatus, heard: HearingReport, lost_new: int) -> tuple[bytes, str]:
    commits = status.commits
    if commits.damaged:
        return DiagnosticStatus.ERROR, f"{len(commits.damaged)} segments are not what was committed"
    if status.state in _ERRORS:
        return DiagnosticStatus.ERROR, f"{status.state.value}: messages are being lost"
    if status.state is RecorderState.LEDGER_BEHIND:
        return DiagnosticStatus.WARN, commits.last_error or "the ledger does not answer"
    if lost_new:
        return DiagnosticStatus.WARN, f"{lost_new} messages lost since the last report"
    if commits.last_error:
        return DiagnosticStatus.WARN, commits.last_error
    if heard.uncovered:
        return DiagnosticStatus.WARN, f"{len(heard.uncovered)} topics of types not installed here"
    if heard.unheard:
        return DiagnosticStatus.WARN, f"publishers of {len(heard.unheard)} topics are not heard"
    return DiagnosticStatus.OK, status.state.value


def _facts(status: RecorderStatus, heard: HearingReport) -> list[tuple[str, str]]:
    commits = status.commits
    lost = {**status.lost_in_queue}
    for topic, count in status.lost_on_disk.items():
        lost[topic] = lost.get(topic, 0) + count
    facts: list[tuple[str, object]] = [
        ("state", status.state.value),
        ("dropped", status.lost + heard.lost_in_middleware),
        ("dropped_in_queue", sum(status.lost_in_queue.values())),
        ("dropped_on_disk", sum(status.lost_on_disk.values())),
        ("lost_in_middleware", heard.lost_in_middleware),
        ("queued_bytes", status.queued_bytes),
        ("buffered_bytes", status.buffered_bytes),
        ("disk_free_bytes", status.disk_free_bytes),
        ("received", status.received),
        ("written", status.written),
        ("written_bytes", status.written_bytes),
        ("repeated", status.repeated),
        ("topics", len(heard.topics)),
        ("uncovered_types", ",".join(f"{t}:{k}" for t, k in sorted(heard.uncovered.items()))),
        ("segment", status.segment),
        ("segment_bytes", status.segment_bytes),
        ("uncommitted_s", f"{status.uncommitted_s:.1f}"),
        ("segments_sealed", commits.sealed),
        ("segments_recovered", commits.recovered),
        ("segments_waiting", commits.waiting),
        ("progress_entries", commits.progress_entries),
        ("sync_ms", f"{commits.last_sync_s * 1e3:.1f}"),
        ("damaged", ", ".join(commits.damaged)),
        ("error", commits.last_error),
        ("episode", "recording" if status.episode else ""),
    ]
    facts += [(f"dropped {topic}", count) for topic, count in sorted(lost.items())]
    facts += [(f"unheard {topic}", "; ".join(why)) for topic, why in sorted(heard.unheard.items())]
    return [(key, str(value)) for key, value in facts]
