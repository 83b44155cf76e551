"""Runs shards on a worker: each a process of the program that writes an Arrow stream.

Spark's Python workers import this module from the wheel, which is installed on them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Iterator, Mapping, Sequence

from pi_extractor.binary import local_copy

if TYPE_CHECKING:
    from pyarrow import RecordBatch  # type: ignore[import-untyped, import-not-found, unused-ignore]

RETRY = "PI_EXTRACTOR_RETRY"  # tells a shard that it may have a forerunner who is still alive
TAIL_BYTES = 4096  # of what a shard wrote to stderr
END_SECONDS = 10  # from the end of a shard's stream to the end of its process


class ShardFailed(RuntimeError):
    """A shard did not come to its end; Spark runs its lane again."""


def run_lane(specs: Sequence[str], lanes: int, rows: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    """Run the specs i, i+lanes, i+2·lanes … for a row that holds i, one after the other."""
    from pyspark import TaskContext

    program, environment = local_copy(), dict(os.environ)
    task = TaskContext.get()
    if task is not None and task.attemptNumber() > 0:
        environment[RETRY] = "1"
    for batch in rows:
        for lane in batch.column(0).to_pylist():
            for spec in specs[lane::lanes]:
                yield from run_shard(program, spec, environment)


def run_shard(program: str, spec: str, environment: Mapping[str, str]) -> Iterator[RecordBatch]:
    """Run one shard and give its batches. Raises ShardFailed unless it ends well.

    A stream may look whole when its process was killed, so the exit code counts.
    A process never outlives the iteration.
    """
    import pyarrow

    with tempfile.TemporaryFile() as request:  # unlike a pipe, never full and never broken
        request.write(spec.encode() + b"\n")
        request.seek(0)
        process = subprocess.Popen(
            [program, "shard"], env=environment, stdin=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    assert process.stdout is not None
    tail = bytearray()
    drain = threading.Thread(target=keep_tail, args=(process.stderr, tail), daemon=True)
    drain.start()
    torn: Exception | None = None
    try:
        try:
            with process.stdout, pyarrow.ipc.open_stream(process.stdout) as stream:
                yield from stream
        except (pyarrow.ArrowException, OSError) as error:
            torn = error
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired as error:
        torn = torn or error
    finally:
        process.kill()
        process.wait()
        drain.join(END_SECONDS)
    if torn or process.returncode != 0:
        how = f"exit code {process.returncode}" + (f", torn stream ({torn})" if torn else "")
        words = bytes(tail).decode("utf-8", "replace").strip()
        raise ShardFailed(f"pi-extractor shard: {how}: {words}") from torn


def keep_tail(source: IO[bytes], tail: bytearray) -> None:
    with source:
        for line in source:
            tail += line
            del tail[:-TAIL_BYTES]
