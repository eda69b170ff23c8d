"""The sink of a recorder in a process of its own."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

from ledger.errors import MalformedError, NotFoundError
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import HiddenValue, IngestOptions, IngestReceipt
from ledger.experience.readers.recording import Recording
from ledger.memory import control_codec as codec
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.schema import control_pb2

_PAUSE_S: Final = 0.1


class SocketSink:
    """A `ledger.memory.sink.RecordSink` over the control socket of a home.

    An owner that is being started again is waited for, up to ``patience_s``, and asked
    once more: every request may be repeated. Then `NoOwnerError` is raised.
    """

    def __init__(self, root: Path, *, patience_s: float = 10.0) -> None:
        self._root = root
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._client: ControlClient | None = None

    def begin(self, *, in_place: bool = False, source: Path | None = None) -> OpenRecord:
        """See `RecordSink.begin`."""
        place = os.fsencode(source.absolute()) if source else b""
        begin = control_pb2.Begin(in_place=in_place, source=place)
        response = self._ask(control_pb2.Request(begin=begin))
        return codec.record_of(response.begun)

    def progress(self, record_id: bytes, mark: ProgressMark) -> int:
        """See `RecordSink.progress`."""
        progress = codec.mark_message(record_id, mark)
        response = self._ask(control_pb2.Request(progress=progress))
        return response.index

    def seal(
        self,
        record_id: bytes,
        recording: Recording,
        digest: ContentDigest,
        hidden: tuple[HiddenValue, ...] = (),
        options: IngestOptions | None = None,
    ) -> IngestReceipt:
        """See `RecordSink.seal`."""
        seal = control_pb2.Seal(
            record_id=record_id,
            recording=codec.recording_message(recording),
            digest=codec.digest_message(digest),
            hidden=map(codec.hidden_message, hidden),
            options=codec.options_message(options or IngestOptions()),
        )
        response = self._ask(control_pb2.Request(seal=seal))
        return codec.receipt_of(response.sealed)

    def interrupted(self, *, in_place: bool = False) -> tuple[InterruptedRecord, ...]:
        """See `RecordSink.interrupted`."""
        take_up = control_pb2.TakeUp(in_place=in_place)
        response = self._ask(control_pb2.Request(interrupted=take_up))
        return codec.interrupted_of(response.interrupted)

    def abandon(self, record_id: bytes, reason: str) -> None:
        """See `RecordSink.abandon`."""
        abandon = control_pb2.Abandon(record_id=record_id, reason=reason)
        self._ask(control_pb2.Request(abandon=abandon))

    def missing(self, record_id: bytes, reason: str) -> int:
        """See `RecordSink.missing`."""
        missing = control_pb2.Abandon(record_id=record_id, reason=reason)
        return self._ask(control_pb2.Request(missing=missing)).index

    def leaf_hash(self, index: int) -> bytes:
        """See `RecordSink.leaf_hash`."""
        asked = control_pb2.LeafHash(index=index)
        return self._ask(control_pb2.Request(leaf_hash=asked)).leaf_hash

    def close(self) -> None:
        """See `RecordSink.close`."""
        with self._lock:
            self._drop()

    def _ask(self, request: control_pb2.Request) -> control_pb2.Response:
        until = time.monotonic() + self._patience_s
        lost = 0
        with self._lock:
            while True:
                try:
                    if self._client is None:
                        self._client = ControlClient(self._root)
                    return self._client.ask(request)
                except NoOwnerError:
                    lost += self._client is not None
                    self._drop()
                    if time.monotonic() >= until:
                        raise
                    time.sleep(_PAUSE_S)
                except NotFoundError:
                    if lost and request.HasField("abandon"):  # done, but for the answer
                        return control_pb2.Response(done=control_pb2.Nothing())
                    raise
                except MalformedError:
                    self._drop()  # the rest of the stream cannot be trusted either
                    raise

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
