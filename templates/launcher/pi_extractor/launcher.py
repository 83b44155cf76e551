"""Starts the binary, passes its output on, and turns its exit code into an outcome."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import IO, Callable, Mapping, Sequence

BINARY = "pi-extractor"
# 3: some tags failed, the rest is landed. A retry would help nobody.
SUCCESS = (0, 3)
FORWARDED = (signal.SIGTERM, signal.SIGINT)


class TaskFailed(RuntimeError):
    """The task did not succeed; the job counts the attempt as failed."""


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
    with tempfile.TemporaryDirectory(prefix="pi-extractor-") as folder:
        code = call([local_copy(folder), task, *arguments], environment)
    if code not in SUCCESS:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise TaskFailed(f"pi-extractor {task} {how}; its own messages stand above")


def local_copy(folder: str) -> str:
    """Copy the binary to local disk as an executable.

    A cluster may install wheels on a file system that runs no programs, or lose
    the mode of their files.
    """
    target = os.path.join(folder, BINARY)
    shutil.copyfile(Path(__file__).with_name(BINARY), target)
    os.chmod(target, 0o755)
    return target


def call(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command, its output going to ours as it comes; give its exit code.

    Signals that ask us to end are passed on, and the command is waited for: it
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
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for number in received:  # came before there was a process
            process.send_signal(number)
        pumps = [
            threading.Thread(target=pump, args=(process.stdout, sys.stdout), daemon=True),
            threading.Thread(target=pump, args=(process.stderr, sys.stderr), daemon=True),
        ]
        for thread in pumps:
            thread.start()
        code = process.wait()
        for thread in pumps:
            thread.join()
    return code


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
    from databricks.sdk.runtime import dbutils  # only on Databricks

    return {name: dbutils.secrets.get(*secret.split("/", 1)) for name, secret in wanted.items()}
