"""Serves the program's requests over a pipe, one after the other.

The protocol is written down in the program's package extractor/engine/spark.
Its verbs are the functions sql, append and shards.
"""

from __future__ import annotations

import json
import platform
import re
import threading
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping

from pi_extractor.session import is_remote
from pi_extractor.shards import run_lane

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

VERSION = 1
BEAT_SECONDS = 5.0  # between two signs of life while a verb works
MOST_ROWS = 5000  # in one line
MOST_MESSAGE = 8000  # characters of an error

Fields = dict[str, Any]  # of a message
Rows = list[Any]


class ProtocolError(Exception):
    """The program said what the protocol does not know."""


def serve(session: SparkSession, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the pipe ends.

    Raises ProtocolError after a line that is no request, which is answered with
    an error first, and OSError when the program is gone before its answer.
    """
    out = Answers(answers)
    out.send(hello=hello(session))
    for due, line in enumerate(requests, start=1):
        if not line.endswith(b"\n"):
            return  # the program died while it wrote
        try:
            verb = understand(line, due)
        except ProtocolError as error:
            out.send(id=due, error=describe(error))
            raise
        with out.busy(due):
            last = attend(verb, session, partial(out.send, id=due))
        out.send(id=due, **last)


def attend(verb: Callable[[SparkSession], Iterable[Rows]], session: SparkSession, send: Callable[..., None]) -> Fields:
    """Do what a request asks for, send its rows, and give what the last line of the answer says."""
    try:
        for rows in verb(session):
            send(rows=rows)
    except Exception as error:
        return {"error": describe(error)}
    return {"done": True}


def hello(session: SparkSession) -> Fields:
    try:
        driver = session.conf.get("spark.driver.host", "127.0.0.1")
    except Exception:  # serverless compute does not tell, and none of its workers asks
        driver = "127.0.0.1"
    remote, python = is_remote(session), platform.python_version()
    return {"spark": session.version, "python": python, "remote": remote, "driver": driver}


def sql(session: SparkSession, statement: str, args: Fields) -> Iterator[Rows]:
    rows = frame(session, statement, args).collect()
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


def append(
    session: SparkSession, query: str, args: Fields, table: str, app: str, version: int, metadata: str
) -> Iterable[Rows]:
    # The options are Delta's: without the format, Spark drops them and says nothing.
    writer = frame(session, query, args).write.format("delta").mode("append").option("userMetadata", metadata)
    if app:
        writer = writer.option("txnAppId", app).option("txnVersion", version)
    writer.saveAsTable(table)  # by name of column; insertInto goes by position
    return ()


def shards(
    session: SparkSession, specs: list[str], lanes: int, schema: str, select: list[str], path: str
) -> Iterable[Rows]:
    events = session.range(0, lanes, 1, lanes).mapInArrow(partial(run_lane, specs, lanes), schema)
    events.selectExpr(*select).write.mode("error").option("compression", "zstd").parquet(path)
    return ()


def frame(session: SparkSession, statement: str, args: Fields) -> DataFrame:
    return session.sql(statement, args or None)


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def is_number(value: object) -> bool:
    return type(value) is int


def is_args(value: object) -> bool:
    return isinstance(value, dict) and all(v is None or isinstance(v, (str, int, float)) for v in value.values())


# The verbs, and what each takes.
VERBS: Mapping[str, tuple[Callable[..., Iterable[Rows]], Mapping[str, Callable[[object], bool]]]] = {
    "sql": (sql, {"statement": is_text, "args": is_args}),
    "append": (
        append,
        {"query": is_text, "args": is_args, "table": is_text, "app": is_text, "version": is_number, "metadata": is_text},
    ),
    "shards": (
        shards,
        {"specs": is_texts, "lanes": is_number, "schema": is_text, "select": is_texts, "path": is_text},
    ),
}


def understand(line: bytes, due: int) -> Callable[[SparkSession], Iterable[Rows]]:
    """Give what a request asks for. Raises ProtocolError for what is no request, or not the one due."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a line is no JSON: {error}") from error
    if not isinstance(request, dict) or request.get("v") != VERSION:
        raise ProtocolError(f"a line is no message of version {VERSION}: the wheel was put together from two versions")
    if request.get("id") != due:
        raise ProtocolError(f"request {due} is due, not {request.get('id')!r}")
    if not is_text(request.get("verb")) or request["verb"] not in VERBS:
        raise ProtocolError(f"verb {request.get('verb')!r}: allowed are {', '.join(VERBS)}")
    function, fields = VERBS[request["verb"]]
    given = {"args": {}, **request}
    for name, is_right in fields.items():
        if name not in given or not is_right(given[name]):
            raise ProtocolError(f"{request['verb']}: the field {name} is missing or of another type")
    return partial(function, **{name: given[name] for name in fields})


def describe(error: Exception) -> Fields:
    """Say what went wrong, without the frames of Java's stacks: what they hide is the causes."""
    text = re.sub(r"\n\s+(at |\.\.\. \d+ more).*", "", str(error))
    return {"type": type(error).__name__, "message": text[:MOST_MESSAGE]}


class Answers:
    """The end of the pipe that the program reads. Threads may send at the same time."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.turn = threading.Lock()

    def send(self, **message: object) -> None:
        line = json.dumps({"v": VERSION, **message}, default=str, allow_nan=False, separators=(",", ":"))
        with self.turn:
            self.pipe.write(line.encode() + b"\n")
            self.pipe.flush()

    @contextmanager
    def busy(self, due: int) -> Iterator[None]:
        """Give signs of life meanwhile; the last one is sent when this ends."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_SECONDS):
                try:
                    self.send(id=due, busy=True)
                except OSError:
                    return  # nobody listens

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
