"""Starts the program, serves its pipe, passes its output on, and turns its exit code into an outcome."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Callable, Mapping, Sequence

from pi_extractor import pipe, session
from pi_extractor.binary import local_copy
from pi_extractor.outcome import TaskFailed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# 3: some tags failed, the rest is landed. A retry would help nobody.
SUCCESS = (0, 3)
FORWARDED = (signal.SIGTERM, signal.SIGINT)
# What may be left to do when the program has ended, or has lost its pipe.
END_SECONDS = 20.0


def discover() -> None:
    run("discover", sys.argv[1:])


def extract() -> None:
    run("extract", sys.argv[1:])


def consolidate() -> None:
    run("consolidate", sys.argv[1:])


def validate() -> None:
    run("validate", sys.argv[1:])


def run(task: str, arguments: Sequence[str]) -> None:
    """Run one task to its end. Returns on success, raises TaskFailed otherwise.

    A SystemExit, even of 0, counts as a failure in a job, so none is raised.
    """
    environment = {**os.environ, **missing_secrets(arguments, os.environ)}
    code = call(session.start(), task, arguments, environment)
    if code not in SUCCESS:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise TaskFailed(f"pi-extractor {task} {how}; its own messages stand above")


def call(spark: SparkSession, task: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the program, serving its pipe, its output going to ours as it comes; give its exit code.

    Signals that ask us to end are passed on, and the program is waited for: it
    ends at a point from which the next attempt goes on.
    """
    received: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def forward(number: int, _frame: FrameType | None) -> None:
        if process is None:
            received.append(number)
        else:
            process.send_signal(number)

    with handling(forward):
        process, requests, answers = start(task, arguments, environment)
        for number in received:  # came before there was a process
            process.send_signal(number)
        server = thread(serve, spark, requests, answers, process)
        pumps = [thread(pump, process.stdout, sys.stdout), thread(pump, process.stderr, sys.stderr)]
        code = process.wait()
        finish(spark, server)
        for each in pumps:
            each.join(END_SECONDS)  # what the program started may hold its output open
    return code


def start(
    task: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]:
    """Start the program; give our ends of its pipes.

    No other process has any end of them, so each side sees when the other dies.
    """
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    requests, answers = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
    try:
        process = subprocess.Popen(
            [local_copy(), task, "--engine=spark", f"--pipe={theirs_in},{theirs_out}", *arguments],
            env=environment,
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        requests.close()
        answers.close()
        raise TaskFailed(
            f"this machine cannot run the wheel's pi-extractor: {error}\n"
            "hint: the bundle's wheel is for one kind of processor; TMPDIR names a folder that programs may run from"
        ) from error
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    return process, requests, answers


def serve(
    spark: SparkSession, requests: IO[bytes], answers: IO[bytes], process: subprocess.Popen[bytes]
) -> None:
    """Serve the program's pipe, then close it. A program that breaks the protocol must end soon."""
    try:
        with requests, answers:
            pipe.serve(spark, requests, answers)
    except OSError:
        pass  # the program is gone: its exit code tells the rest
    except pipe.ProtocolError:
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def finish(spark: SparkSession, server: threading.Thread) -> None:
    """Wait, with a bound, for the end of serving. What Spark still does for a dead program is interrupted."""
    server.join(1)
    if server.is_alive():
        thread(interrupt, spark, server)
        server.join(END_SECONDS)


def interrupt(spark: SparkSession, server: threading.Thread) -> None:
    """Interrupt the session until serving ends: one statement may be several jobs."""
    while server.is_alive():
        try:
            spark.interruptAll()
        except Exception:  # Spark is dead, or too old for it
            return
        time.sleep(0.5)


def thread(function: Callable[..., None], *arguments: object) -> threading.Thread:
    """Start a thread that does not keep this process alive."""
    started = threading.Thread(target=function, args=arguments, daemon=True)
    started.start()
    return started


class handling:
    """Handles FORWARDED signals by a function for a while.

    Only the main thread may set handlers; elsewhere signals take their usual way.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], None]) -> None:
        self.handler = handler
        self.previous: dict[int, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self.handler) for number in FORWARDED}

    def __exit__(self, *_: object) -> None:
        for number, previous in self.previous.items():
            signal.signal(number, previous)  # type: ignore[arg-type]


def pump(source: IO[bytes], sink: IO[str]) -> None:
    """Pass lines on until the source ends. A notebook's output takes text only.

    The source is read to its end also when the sink fails, or the process would
    wait for ever on a full pipe.
    """
    with source:
        for line in source:
            try:
                sink.write(line.decode("utf-8", "replace"))
                sink.flush()
            except (OSError, ValueError):
                continue


def missing_secrets(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Read the secrets that compute without environment variables cannot give.

    A bundle for serverless compute says in secrets.json which secret is which
    variable's value. They go to the child's environment only.
    """
    folder = next((a.partition("=")[2] for a in arguments if a.startswith("--bundle=")), "")
    file = Path(folder, "secrets.json")
    if not folder or not file.is_file():
        return {}
    wanted = {
        name: secret
        for name, secret in json.loads(file.read_text("utf-8"))["secrets"].items()
        if name not in environment
    }
    if not wanted:
        return {}
    from databricks.sdk.runtime import dbutils  # type: ignore[import-not-found, unused-ignore]  # only on Databricks

    return {name: dbutils.secrets.get(*secret.split("/", 1)) for name, secret in wanted.items()}
