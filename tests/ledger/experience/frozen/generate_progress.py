"""Write the frozen progress again: ``python -m tests.ledger.experience.frozen.generate_progress``.

A record that was committed three times while it was written, then sealed. These entries
were signed once and must verify for ever. Running this must change nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from ledger.checkpoint import log_id
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.entry import Experience, File, Progress, encode_entry
from ledger.experience.growing_content import GrowingContent
from ledger.experience.kinds import Kind
from tests.ledger.experience.frozen.generate import OLD, ORIGIN, RECORD, SALT_KEY, content

FROZEN = Path(__file__).with_name("progress_v1.json")

ENDS = (0, 1_000, CHUNK_SIZE, 2 * CHUNK_SIZE + 7)


def kinds() -> list[Kind]:
    """Progress of no byte, of a tail alone, of a chunk alone, of both; then the whole."""
    growing, said, start = GrowingContent(SALT_KEY), list[Kind](), 0
    for end in ENDS:
        growing.update(content()[start:end])
        mark, start = growing.mark(), end
        said.append(Progress(RECORD, mark.leaf_count, mark.root, mark.length, mark.tail_hash))
    growing.update(content()[start:])
    digest = growing.finish()
    sealed = Experience(
        record_id=RECORD,
        start_ns=1,
        end_ns=2,
        content_root=digest.root,
        content_size=digest.size,
        files=(File("run_0.mcap", digest.size),),
        media_type="application/vnd.mcap",
        name="run",
    )
    return [*said, sealed]


def build() -> dict[str, object]:
    """What the file holds."""
    identity = log_id(ORIGIN)
    entries = [encode_entry(identity, index, kind, OLD) for index, kind in enumerate(kinds())]
    return {
        "origin": ORIGIN,
        "salt_key": SALT_KEY.hex(),
        "lengths": ENDS,
        "entries": [entry.hex() for entry in entries],
    }


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(build(), indent=1) + "\n")
