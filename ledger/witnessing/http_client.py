"""A log's way to a witness over HTTP (C2SP tlog-witness).

A witness may be down, slow, or a liar: an exchange has one deadline, an answer a largest
size, and redirects are not followed.
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from ledger.errors import MalformedError
from ledger.witnessing.deadline import DeadlineReader
from ledger.witnessing.service import origin_hash
from ledger.witnessing.transport import MAX_ANSWER_SIZE, Answer, Status, UnreachableError

DEFAULT_TIMEOUT_S: Final = 10.0
_HEAD_SIZE: Final = 65_536


@dataclass(frozen=True, slots=True)
class HttpWitness:
    """A witness behind a submission prefix, ``http://`` or ``https://``.

    Certificates are checked as the system does. Raises `MalformedError` for a URL that
    is none.
    """

    url: str
    timeout_s: float = DEFAULT_TIMEOUT_S

    def __post_init__(self) -> None:
        _split(self.url)

    def add_checkpoint(self, body: bytes) -> Answer:
        """See `ledger.witnessing.transport.WitnessTransport`."""
        return self._exchange("POST", "/add-checkpoint", body)

    def recorded(self, origin: str) -> bytes | None:
        """The newest checkpoint of a log that the witness cosigned, unverified.

        None if it has none. Raises `UnreachableError`.
        """
        answer = self._exchange("GET", f"/{origin_hash(origin)}/checkpoint", None)
        if answer.status == Status.NOT_FOUND:
            return None
        if answer.status != Status.OK or len(answer.body) > MAX_ANSWER_SIZE:
            raise UnreachableError(f"{self.url} answers {answer.status}, not a checkpoint")
        return answer.body

    def _exchange(self, method: str, page: str, body: bytes | None) -> Answer:
        end = time.monotonic() + self.timeout_s
        parts = _split(self.url)
        connection = _connection(parts, self.timeout_s)
        try:
            connection.connect()
            channel = connection.sock
            if channel is None:
                raise UnreachableError(f"no connection to {self.url}")
            channel.settimeout(max(0.001, end - time.monotonic()))
            headers = {"Connection": "close", "User-Agent": "quipu"}
            connection.request(method, parts.path.rstrip("/") + page, body, headers)
            reader = DeadlineReader(channel)
            # One byte more than is read, to see that there is more.
            reader.allow(end - time.monotonic(), _HEAD_SIZE + MAX_ANSWER_SIZE + 1)
            with http.client.HTTPResponse(_Readable(reader), method=method) as response:  # type: ignore[arg-type]
                response.begin()
                answer = Answer(response.status, response.read(MAX_ANSWER_SIZE + 1))
                if response.length and len(answer.body) <= MAX_ANSWER_SIZE:
                    raise UnreachableError(f"{self.url} ends in the middle of its answer")
                return answer
        except TimeoutError as error:
            raise UnreachableError(f"{self.url} takes more than {self.timeout_s:g} s") from error
        except OSError as error:
            raise UnreachableError(f"{self.url}: {error.strerror or error}") from error
        except (http.client.HTTPException, ValueError, OverflowError) as error:
            raise UnreachableError(f"{self.url} does not speak HTTP: {error!a}") from error
        finally:
            connection.close()


class _Readable:
    """What `http.client.HTTPResponse` wants of a socket."""

    def __init__(self, reader: DeadlineReader) -> None:
        self._reader = reader

    def makefile(self, *_mode: Any) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port_is_sound = parts.port is None or parts.port > 0
    except ValueError:
        raise MalformedError(f"{url!a} is no URL of a witness") from None
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not port_is_sound
        or parts.username is not None
        or parts.query
        or parts.fragment
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise MalformedError(
            f"{url!a} is no URL of a witness", hint="http://host:port/prefix, or https://"
        )
    return parts


def _connection(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
