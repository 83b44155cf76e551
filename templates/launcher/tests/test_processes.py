"""The program as a process: exit codes, signals, output, and who holds its pipe."""

from __future__ import annotations

import signal
import time

import pytest
from conftest import SECRET, Launcher


@pytest.mark.parametrize("task", ["discover", "extract", "consolidate", "validate"])
def test_each_task_has_an_entry_point(spark: Launcher, task: str) -> None:
    outcome = spark.run("print(json.dumps([task, arguments[2].partition('=')[0], arguments[3]]))", task)
    assert outcome.raised == ""
    assert outcome.said == [task, "--scenario", "--empty="]


@pytest.mark.parametrize("code", [0, 3])
def test_success_and_partial_success_return(spark: Launcher, code: int) -> None:
    assert spark.run(f"sys.exit({code})").raised == ""


@pytest.mark.parametrize("code", [1, 2, 130])
def test_any_other_code_raises(spark: Launcher, code: int) -> None:
    outcome = spark.run(f"sys.exit({code})")
    assert outcome.raised == f"TaskFailed: pi-extractor extract ended with exit code {code}; its own messages stand above"


def test_a_program_that_is_killed_raises(spark: Launcher) -> None:
    assert "ended by signal 9" in spark.run("os.kill(os.getpid(), 9)").raised


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on_and_the_program_is_waited_for(spark: Launcher, number: signal.Signals) -> None:
    spark.begin(
        """
import signal
got = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: got.append(number))
mark("at-work")
while not got:
    time.sleep(0.02)
time.sleep(0.3)
print(json.dumps([got, pipe.sql("SELECT 'still served'")]))
sys.exit(130)"""
    )
    spark.marked("at-work")
    spark.process.send_signal(number)
    outcome = spark.end()
    assert outcome.said == [[number], [["still served"]]]
    assert "exit code 130" in outcome.raised


def test_a_program_that_ends_while_a_verb_works_is_not_waited_for(spark: Launcher) -> None:
    spark.begin(
        """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: os._exit(130))
pipe.request("sql", statement="SELECT java_method('java.lang.Thread', 'sleep', 60000L)", args={})
time.sleep(0.5)
mark("at-work")
time.sleep(60)"""
    )
    spark.marked("at-work")
    start = time.monotonic()
    spark.process.send_signal(signal.SIGTERM)
    outcome = spark.end()
    assert "exit code 130" in outcome.raised
    assert time.monotonic() - start < 15
    assert spark.run("print(json.dumps(pipe.sql('SELECT 1')))").said == [[1]], "the session goes on"


def test_much_output_blocks_nothing(spark: Launcher) -> None:
    outcome = spark.run(
        """
import threading
def flood(stream):
    for i in range(50_000):
        stream.write(f"{i} " + "x" * 100 + "\\n")
    stream.flush()
floods = [threading.Thread(target=flood, args=(s,)) for s in (sys.stdout, sys.stderr)]
for f in floods:
    f.start()
rows = pipe.sql("SELECT count(*) FROM range(10)")
for f in floods:
    f.join()
print(json.dumps(rows))"""
    )
    assert outcome.raised == ""
    assert outcome.said == [[10]]
    assert len(outcome.stdout.splitlines()) == 50_001 and len(outcome.stderr.splitlines()) == 50_000


def test_nobody_else_holds_an_end_of_the_pipe(spark: Launcher) -> None:
    outcome = spark.run(
        """
pipe.sql("SELECT 1")
held = {os.readlink(f"/proc/self/fd/{fd}"): [] for fd in (pipe.reading, pipe.writing)}
for entry in Path("/proc").glob("[0-9]*/fd/*"):
    try:
        end = os.readlink(entry)
    except OSError:
        continue
    if end in held:
        held[end].append(int(entry.parts[2]))
print(json.dumps([os.getpid(), list(held.values())]))"""
    )
    program, holders = outcome.said
    assert sorted(map(sorted, holders)) == [sorted([spark.process.pid, program])] * 2


def test_no_secret_is_on_a_command_line(spark: Launcher) -> None:
    outcome = spark.run(
        """
import subprocess
lines = subprocess.run(["ps", "-eo", "args", "-ww"], capture_output=True, text=True).stdout
print(json.dumps([os.environ["PLANT_PASSWORD"][::-1], "--engine=spark" in lines, os.environ["PLANT_PASSWORD"] in lines]))"""
    )
    assert outcome.said == [SECRET[::-1], True, False], "the program has it, from its environment"
