"""How an entry is told to a person, and to a program."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ledger.cli.ui import escape, human_bytes, human_duration, human_time, short, table
from ledger.experience.entry import Entry
from ledger.experience.kinds import (
    Acquisition,
    Erasure,
    Experience,
    KeyRetirement,
    KeyRotation,
    Progress,
    Pruning,
    Training,
)


def kind_name(entry: Entry) -> str:
    """The kind in words, as ``--json`` has it."""
    match entry.kind:
        case Experience():
            return "experience"
        case Erasure():
            return "erasure"
        case Pruning():
            return "pruning"
        case KeyRotation():
            return "key-rotation"
        case KeyRetirement():
            return "key-retirement"
        case Progress():
            return "progress"
        case Acquisition():
            return "acquisition"
        case Training():
            return "training"


def summary(entry: Entry) -> str:
    """An entry in half a line."""
    match entry.kind:
        case Experience() as experience:
            return experience.name
        case Erasure(record_ids=records) | Pruning(record_ids=records):
            return f"{len(records)} record(s): {', '.join(short(record) for record in records[:4])}"
        case KeyRotation(new_key=key):
            return f"new key {short(key)}"
        case KeyRetirement(retired_key=key):
            return f"key {short(key)} retired"
        case Progress() as progress:
            return f"{human_bytes(progress.length)} of record {short(progress.record_id)}"
        case Acquisition() as bought:
            return f"{short(bought.record_id)} from {bought.seller}"
        case Training() as training:
            return f"{training.name}, trained on {len(training.inputs)} record(s)"


def entry_json(entry: Entry, index: int) -> dict[str, Any]:
    """Every field of an entry; bytes as hex, times in ns."""
    return {
        "index": index,
        "kind": kind_name(entry),
        "robot_key": entry.robot_key.hex(),
        **_kind_json(entry),
    }


def _kind_json(entry: Entry) -> dict[str, Any]:
    match entry.kind:
        case Experience() as experience:
            return _experience_json(experience)
        case Erasure() as removal:
            return {"records": [r.hex() for r in removal.record_ids], "reason": removal.reason}
        case Pruning() as removal:
            return {"records": [r.hex() for r in removal.record_ids], "reason": removal.reason}
        case KeyRotation(new_key=key):
            return {"new_key": key.hex()}
        case KeyRetirement(retired_key=key):
            return {"retired_key": key.hex()}
        case Progress() as progress:
            return {
                "record_id": progress.record_id.hex(),
                "length": progress.length,
                "leaf_count": progress.leaf_count,
                "root": progress.root.hex(),
                "tail_hash": progress.tail_hash.hex(),
            }
        case Acquisition() as bought:
            return {
                "record_id": bought.record_id.hex(),
                "chain": bought.chain.hex(),
                "grant": bought.grant.hex(),
                "offer": bought.offer.hex(),
                "contract": bought.contract.hex(),
                "version": bought.version,
                "seller": bought.seller,
                "leaf": bought.leaf.hex(),
                "content_root": bought.content_root.hex(),
            }
        case Training() as training:
            return {
                "record_id": training.record_id.hex(),
                "name": training.name,
                "inputs": [record_id.hex() for record_id in training.inputs],
            }


def _experience_json(experience: Experience) -> dict[str, Any]:
    return {
        "record_id": experience.record_id.hex(),
        "name": experience.name,
        "media_type": experience.media_type,
        "start_ns": experience.start_ns,
        "end_ns": experience.end_ns,
        "message_count": experience.message_count,
        "content_root": experience.content_root.hex(),
        "content_size": experience.content_size,
        "files": [{"name": file.name, "size": file.size} for file in experience.files],
        "topics": [
            {"name": topic.name, "type": topic.type, "count": topic.count}
            for topic in experience.topics
        ],
        "tags": {tag.key: tag.value for tag in experience.tags},
        "commitments": [
            {
                "kind": commitment.kind.name.lower(),
                "source": commitment.source.name.lower(),
                "point": commitment.point.hex(),
                "offset": commitment.offset,
                "scale": commitment.scale,
            }
            for commitment in experience.commitments
        ],
        "contract_id": experience.contract_id.hex(),
        "ranges": [
            {
                "record_id": part.record_id.hex(),
                "file": part.file,
                "first_row": part.first_row,
                "end_row": part.end_row,
                "video_start_ns": part.video_start_ns,
                "video_end_ns": part.video_end_ns,
            }
            for part in experience.ranges
        ],
    }


def show_entry(console: Console, entry: Entry, index: int) -> None:
    """Write an entry out for a person."""
    console.print(f"[bold]entry {index}[/]  {kind_name(entry)}  {escape(summary(entry))}")
    rows = table("", "")
    rows.show_header = False
    rows.add_row("robot key", entry.robot_key.hex())
    match entry.kind:
        case Experience() as experience:
            _add_experience(rows.add_row, experience)
            console.print(rows)
            _show_parts(console, experience)
            return
        case Erasure() | Pruning():
            rows.add_row("records", "\n".join(r.hex() for r in entry.kind.record_ids))
            rows.add_row("reason", escape(entry.kind.reason) or "-")
        case KeyRotation(new_key=key) | KeyRetirement(retired_key=key):
            rows.add_row("key", key.hex())
        case Progress() as progress:
            rows.add_row("record", progress.record_id.hex())
            rows.add_row("committed", f"{progress.length} bytes, {progress.leaf_count} chunks")
            rows.add_row("root", progress.root.hex())
            if progress.tail_hash:
                rows.add_row("tail", progress.tail_hash.hex())
        case Acquisition() as bought:
            rows.add_row("record", bought.record_id.hex())
            rows.add_row("seller", escape(bought.seller))
            rows.add_row("its entry", bought.leaf.hex())
            rows.add_row("its root", bought.content_root.hex())
            rows.add_row("contract", f"{bought.contract.hex()} version {bought.version}")
            rows.add_row("offer", bought.offer.hex())
            rows.add_row("grant", bought.grant.hex())
            rows.add_row("chain", bought.chain.hex())
        case Training() as training:
            rows.add_row("model", training.record_id.hex())
            rows.add_row("name", escape(training.name))
            rows.add_row("inputs", "\n".join(r.hex() for r in training.inputs))
    console.print(rows)


def _add_experience(add_row: Any, experience: Experience) -> None:
    add_row("record", experience.record_id.hex())
    add_row("type", escape(experience.media_type))
    start, end = experience.start_ns, experience.end_ns
    span = f"{human_time(start)} to {human_time(end)}, {human_duration(end - start)}"
    add_row("time (UTC)", span)
    add_row("messages", str(experience.message_count))
    if experience.content_root:
        add_row("content", f"{human_bytes(experience.content_size)}")
        add_row("root", experience.content_root.hex())
    for tag in experience.tags:
        add_row(f"tag {escape(tag.key)}", escape(tag.value))


def _show_parts(console: Console, experience: Experience) -> None:
    if experience.topics:
        topics = table("topic", "type", "messages")
        for topic in experience.topics:
            topics.add_row(escape(topic.name), escape(topic.type), str(topic.count))
        console.print(topics)
    if experience.files:
        files = table("file", "size")
        for file in experience.files:
            files.add_row(escape(file.name), human_bytes(file.size))
        console.print(files)
    if experience.ranges:
        ranges = table("file", "rows", "video", "record")
        for part in experience.ranges:
            video = "-"
            if part.video_end_ns:
                video = f"{part.video_start_ns / 1e9:.3f} to {part.video_end_ns / 1e9:.3f} s"
            rows = f"{part.first_row} to {part.end_row}" if part.end_row else "-"
            ranges.add_row(escape(part.file), rows, video, short(part.record_id))
        console.print(ranges)
