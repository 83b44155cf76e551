"""Deaths of Spark and of the launcher. The last tests of each kind of session: it dies."""

from __future__ import annotations

import json
import os
import signal

from conftest import Launcher, is_running, until


def test_the_program_hears_of_the_death_of_spark_and_then_of_the_launcher(spark: Launcher) -> None:
    spark.begin(
        """
pipe.request("sql", statement="SELECT java_method('java.lang.Thread', 'sleep', 60000L)", args={})
time.sleep(0.5)
mark("at-work", str(os.getpid()))
while "error" not in (answer := pipe.receive()):
    assert answer["busy"]
mark("at-error", json.dumps(answer))
mark("at-eof", json.dumps(pipe.receive()))"""
    )
    program = int(spark.marked("at-work"))
    os.kill(spark.spark_pid(), signal.SIGKILL)
    answer = json.loads(spark.marked("at-error"))
    assert answer["id"] == 1
    of_the_wire = {"Py4JError", "Py4JNetworkError", "ConnectionRefusedError", "ConnectionResetError", "RetriesExceeded"}
    assert answer["error"]["type"] in of_the_wire
    assert is_running(program)

    spark.process.kill()
    spark.process.wait()
    assert spark.marked("at-eof") == "null"
    until(lambda: not is_running(program), 10)
