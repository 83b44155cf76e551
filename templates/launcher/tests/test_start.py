"""What keeps a session from starting is said in a sentence, with a hint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import Launcher

EXTRACT = "from pi_extractor import extract, session; session.MOST_RETRIES = 2; extract()"


def message(environment: dict[str, str]) -> str:
    """Launch a task that cannot start, and give the error's first two lines."""
    process = subprocess.run(
        [sys.executable, "-c", EXTRACT], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert process.returncode == 1
    assert "The above exception was the direct cause" in process.stderr
    return process.stderr.rpartition("TaskFailed: ")[2]


def test_no_pyspark(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ModuleNotFoundError('No module named pyspark')")
    path = f"{tmp_path}:{environment['PYTHONPATH']}"
    assert message({**environment, "PYTHONPATH": path}).startswith("this Python has no pyspark\nhint: ")


def test_no_java(environment: dict[str, str], tmp_path: Path) -> None:
    text = message({**environment, "JAVA_HOME": str(tmp_path)})
    assert text.startswith("Spark did not start: [JAVA_GATEWAY_EXITED]")
    assert "\nhint: Spark needs Java 17" in text


def test_no_server(environment: dict[str, str]) -> None:
    text = message({**environment, "SPARK_REMOTE": "sc://127.0.0.1:1/;user_id=hunter2"})
    assert text.startswith("Spark did not start: [RETRIES_EXCEEDED]")
    assert "\nhint: is the server up that SPARK_REMOTE names?" in text and "hunter2" not in text


def test_no_delta(spark: Launcher) -> None:
    """Delta is found; a format that nobody has is what Delta is where its jars are missing."""
    assert spark.code(
        """
from pyspark.sql import SparkSession
from pi_extractor import session
from pi_extractor.outcome import TaskFailed

class WithoutDelta:
    def __init__(self, reader): self.reader = reader
    @property
    def read(self): return self
    def format(self, name): return self.reader.format("nobody_has_" + name)

spark = SparkSession.builder.getOrCreate()
session.require_delta(spark)
try:
    session.require_delta(WithoutDelta(spark.read))
except TaskFailed as error:
    result = str(error).splitlines()[0]
"""
    ) == "Spark has no Delta"
