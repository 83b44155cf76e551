"""Runs the launcher for tests, on a classic session and on one of Spark Connect.

PI_TEST_SPARK_HOME is the folder to use as SPARK_HOME, and PI_TEST_SPARK_CONF
one with a spark-defaults.conf that names Delta's jars, extension and catalog.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Callable, Iterator

import pytest

HERE = Path(__file__).parent
SECRET = "hunter2-hunter2"  # in the environment of every process, and nowhere else


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is true, and give it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package pi_extractor, as the wheel installs it, whose program is the fake one."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(HERE.parent / "pi_extractor", folder / "pi_extractor", ignore=shutil.ignore_patterns("__pycache__"))
    program = folder / "pi_extractor" / "pi-extractor"
    program.write_text(f"#!{sys.executable}\n" + (HERE / "fake_extractor.py").read_text())
    program.chmod(stat.S_IRUSR)  # the launcher must not rely on the mode
    return folder


@pytest.fixture(scope="session")
def environment(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process needs to run the launcher on a Spark of its own."""
    if missing := {"PI_TEST_SPARK_HOME", "PI_TEST_SPARK_CONF"} - set(os.environ):
        pytest.exit(f"{' and '.join(sorted(missing))} must be set: see conftest.py", returncode=pytest.ExitCode.USAGE_ERROR)
    folder = tmp_path_factory.mktemp("spark")
    shutil.copytree(os.environ["PI_TEST_SPARK_CONF"], folder / "conf")
    own = {
        "spark.master": "local[2,4]",  # tasks are retried
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        # Sessions that live for seconds: what the best code costs is never earned back.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
    }
    with open(folder / "conf" / "spark-defaults.conf", "a") as file:
        file.writelines(f"\n{name} {value}" for name, value in own.items())
    (folder / "tmp").mkdir()
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_"))},
        "SPARK_HOME": os.environ["PI_TEST_SPARK_HOME"],
        "SPARK_CONF_DIR": str(folder / "conf"),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder / "tmp"),
        "PLANT_PASSWORD": SECRET,
        "FAKE_FOLDER": str(folder),
    }


class Server:
    """A server of Spark Connect."""

    def __init__(self, environment: dict[str, str]) -> None:
        folder = Path(environment["FAKE_FOLDER"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [
                environment["SPARK_HOME"] + "/bin/spark-submit",
                *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
                *("--conf", f"spark.connect.grpc.binding.port={self.port}"),
                *("--conf", f"spark.sql.warehouse.dir={folder}/warehouse-connect"),
                "spark-internal",
            ],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(folder / "server.log", "wb"),
        )

    def is_up(self) -> bool:
        assert self.process.poll() is None, "see server.log"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="session")
def server(environment: dict[str, str]) -> Iterator[Server]:
    server = Server(environment)
    yield server
    server.process.kill()
    server.process.wait()


@dataclass
class Outcome:
    """What became of a task."""

    raised: str  # "" when the entry point returned
    trace: str
    stdout: str
    stderr: str

    @property
    def said(self) -> Any:
        """What the scenario printed as JSON."""
        return json.loads(self.stdout.splitlines()[-1])


class Launcher:
    """A process with a session, in which tasks are launched."""

    def __init__(self, kind: str, environment: dict[str, str], server: Server) -> None:
        self.kind, self.server = kind, server
        self.folder = Path(environment["FAKE_FOLDER"])
        self.environment = dict(environment)
        if kind == "connect":
            until(server.is_up, 120)
            self.environment["SPARK_REMOTE"] = f"sc://127.0.0.1:{server.port}"
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "host.py"), str(writing)],
            env=self.environment,
            cwd=self.folder,
            pass_fds=[writing],
            stdin=subprocess.PIPE,
            stderr=open(self.folder / f"{kind}.log", "wb"),
        )
        os.close(writing)
        self.answers: IO[bytes] = os.fdopen(reading, "rb")
        self.scenarios = 0

    def spark_pid(self) -> int:
        """The process in which Spark is."""
        if self.kind == "connect":
            return self.server.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(c) for c in children if Path(f"/proc/{c}/comm").read_text().strip() == "java")

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        self.ask(request)
        return self.answer()

    def ask(self, request: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert select.select([self.answers], [], [], 180)[0], "the launcher hangs"
        line = self.answers.readline()
        assert line, "the launcher died"
        assert SECRET not in line.decode()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def code(self, code: str) -> Any:
        """Run code beside the launcher; give its `result`."""
        return self.do({"code": code})["result"]

    def begin(self, scenario: str, task: str = "extract", **environment: str) -> None:
        """Launch a task, whose program does what the scenario says."""
        self.scenarios += 1
        file = self.folder / f"{self.kind}-{self.scenarios}.py"
        file.write_text(scenario)
        for old in self.folder.glob("at-*"):
            old.unlink()
        self.ask({"task": task, "arguments": [f"--scenario={file}", "--empty="], "environment": environment})

    def end(self) -> Outcome:
        return Outcome(**self.answer())

    def run(self, scenario: str, task: str = "extract", **environment: str) -> Outcome:
        self.begin(scenario, task, **environment)
        return self.end()

    def marked(self, name: str) -> str:
        """Wait for the program to reach a point, and give what it said there."""
        until((self.folder / name).exists)
        return (self.folder / name).read_text()

    def mark(self, name: str) -> None:
        (self.folder / name).touch()

    def close(self) -> None:
        if self.process.poll() is None and self.process.stdin:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session", params=["classic", "connect"])
def spark(request: pytest.FixtureRequest, environment: dict[str, str], server: Server) -> Iterator[Launcher]:
    """Launches tasks; both kinds of session see the same tests."""
    launcher = Launcher(request.param, environment, server)
    yield launcher
    launcher.close()
