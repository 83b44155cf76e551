"""Stands in for the program: speaks the protocol as a test's scenario says.

As a task it runs the Python code in the file of --scenario. As a shard it runs
the code that is its spec. As the doctor it finds what FAKE_FINDINGS holds, by the
names of checks, and that all else is well.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

MOST_SECONDS = 120  # after that it dies, whatever the scenario waits for: a test fails then, and does not hang
FOLDER = Path(os.environ.get("FAKE_FOLDER", "."))


def mark(name: str, text: str = "") -> None:
    """Tell the test, and others, that a point was reached."""
    (FOLDER / (name + ".new")).write_text(text)
    (FOLDER / (name + ".new")).rename(FOLDER / name)


def wait_for(name: str) -> None:
    while not (FOLDER / name).exists():
        time.sleep(0.02)


class Refused(Exception):
    """An answer that is an error."""


class Pipe:
    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self.writing = reading, writing
        self.answers, self.requests = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
        self.id = 0
        self.lines: list[dict[str, Any]] = []  # of the last answer

    def receive(self) -> dict[str, Any] | None:
        line = self.answers.readline()
        return json.loads(line) if line else None

    def send(self, line: bytes) -> None:
        self.requests.write(line + b"\n")
        self.requests.flush()

    def request(self, verb: str, **fields: Any) -> None:
        self.id += 1
        self.send(json.dumps({"v": 1, "id": self.id, "verb": verb, **fields}).encode())

    def ask(self, verb: str, **fields: Any) -> list[list[Any]]:
        self.request(verb, **fields)
        self.lines = []
        while True:
            answer = self.receive()
            assert answer is not None and answer["v"] == 1 and answer["id"] == self.id, answer
            self.lines.append(answer)
            if "error" in answer:
                raise Refused(answer["error"]["type"], answer["error"]["message"])
            if "done" in answer:
                return [row for line in self.lines for row in line.get("rows", [])]

    def sql(self, statement: str, **args: Any) -> list[list[Any]]:
        return self.ask("sql", statement=statement, args=args)


def task(name: str, arguments: list[str]) -> None:
    assert arguments[0] == "--engine=spark", arguments
    reading, writing = arguments[1].removeprefix("--pipe=").split(",")
    pipe = Pipe(int(reading), int(writing))
    hello = pipe.receive()
    scenario = next(a.partition("=")[2] for a in arguments if a.startswith("--scenario="))
    names = {**globals(), "pipe": pipe, "hello": hello, "task": name, "arguments": arguments}
    exec(compile(Path(scenario).read_text(), scenario, "exec"), names)


SCHEMA = "shard INT, n BIGINT, retry STRING"


def shard() -> None:
    import pyarrow  # type: ignore[import-untyped, import-not-found, unused-ignore]

    spec = sys.stdin.buffer.readline()
    assert spec.endswith(b"\n") and sys.stdin.buffer.read() == b""
    schema = pyarrow.schema([("shard", pyarrow.int32()), ("n", pyarrow.int64()), ("retry", pyarrow.string())])
    retry = os.environ.get("PI_EXTRACTOR_RETRY")

    def batch(shard: int, numbers: range) -> Any:
        columns = [[shard] * len(numbers), list(numbers), [retry] * len(numbers)]
        return pyarrow.record_batch([pyarrow.array(c, f.type) for c, f in zip(columns, schema)], schema=schema)

    out = sys.stdout.buffer
    with pyarrow.ipc.new_stream(out, schema) as stream:
        exec(json.loads(spec)["code"], {**globals(), "stream": stream, "batch": batch, "out": out, "retry": retry})


def doctor(check: str, arguments: list[str]) -> None:
    faults = json.loads(os.environ.get("FAKE_FINDINGS", "{}"))
    subject = "127.0.0.1:9" if check == "heartbeat" else arguments[0] if arguments else ""
    finding: dict[str, Any] = {"check": check, "subject": subject, "state": "ok"}
    if check == "sites":
        given = {"sites": {"sites": []}} if arguments else json.loads(sys.stdin.read())
        finding |= {"check": "site", "subject": "plant-a", "figures": {"files": given.get("files", {})}}
    if check == "listed":
        assert any(name.endswith(".parquet") for name in os.listdir(arguments[0]))
        shutil.rmtree(arguments[0])
    print(json.dumps(finding | faults.get(check, {})), flush=True)
    if check == "heartbeat":
        sys.stdin.read()
    if "exit" in faults.get(check, {}):
        sys.exit(faults[check]["exit"])


if __name__ == "__main__":
    signal.alarm(MOST_SECONDS)
    if sys.argv[1] == "shard":
        shard()
    elif sys.argv[1] == "doctor":
        doctor(sys.argv[2], sys.argv[3:])
    else:
        task(sys.argv[1], sys.argv[2:])
