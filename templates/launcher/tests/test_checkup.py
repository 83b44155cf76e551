"""The doctor: what it finds on a cluster, what it makes of a fault, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SECRET, Launcher

VARIABLE = "PLANT_PASSWORD"  # which the driver and the workers have, see conftest.py


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    sites = {"version": 1, "sites": [{"name": "plant-a", "auth": {"kind": "basic"}, "tls": {"ca_file": "plant.pem"}}]}
    (tmp_path / "sites.json").write_text(json.dumps(sites))
    (tmp_path / "plant.pem").write_text("a certificate")
    return tmp_path


class Checkup:
    """What the doctor printed and raised."""

    def __init__(self, spark: Launcher, bundle: Path, *more: str, **environment: str) -> None:
        arguments = ["--pipeline=p", "--catalog=spark_catalog", "--schema-prefix=", f"--bundle={bundle}", *more]
        staging = bundle / "staging"
        staging.mkdir(exist_ok=True)
        answer = spark.do({"task": "doctor", "arguments": arguments, "environment": {"PI_EXTRACTOR_STAGING": str(staging), **environment}})
        self.raised, self.table, self.trace = answer["raised"], answer["stdout"].splitlines(), answer["trace"]
        assert SECRET not in answer["stdout"] + answer["stderr"] + answer["raised"]
        assert list(staging.iterdir()) == [], "what was made is removed"
        self.report: dict[str, Any] = json.loads(self.table.pop())
        assert self.report["doctor"] == 1
        assert len(self.table) == len(self.report["findings"])

    def of(self, check: str) -> list[tuple[str, str]]:
        """Where a check was made, and what it found."""
        return [(f["where"], f["state"]) for f in self.report["findings"] if f["check"] == check]

    def finding(self, check: str, where: str = "") -> dict[str, Any]:
        found: dict[str, Any] = next(f for f in self.report["findings"] if f["check"] == check and where in ("", f["where"]))
        return found


def tables_of(spark: Launcher) -> Any:
    return spark.code(
        "from pyspark.sql import SparkSession\n"
        "rows = SparkSession.builder.getOrCreate().sql('SHOW TABLES IN checkpoints').collect()\n"
        "result = [row[1] for row in rows if row[1].startswith('doctor_')]"
    )


def test_a_healthy_cluster_has_no_red_line(spark: Launcher, bundle: Path) -> None:
    found = Checkup(spark, bundle, "--shards=executors", f"--secret={VARIABLE}=plant/password")
    assert found.raised == "", found.trace
    both = [("driver", "ok"), ("worker", "ok")]
    assert found.of("program") == both
    assert found.of("site") == both
    assert found.of("heartbeat") == ([("worker", "ok")] if spark.kind == "classic" else [("worker", "ok")])
    assert found.of("secret") == [("driver", "skipped"), ("worker", "skipped")], "there is no dbutils here"
    assert [f["state"] for f in found.report["findings"] if f["where"] == ""] == ["ok"] * 3, "schema, token, merges"
    assert found.of("volume") == [("driver", "ok")] and found.of("listed") == [("driver", "ok")]
    assert found.finding("token")["figures"] == {"rows": 1}
    assert found.finding("merges")["figures"] == {"rows": 1}, "open Delta holds what a MERGE reads against others"
    assert found.finding("site", "worker")["figures"] == {"files": {"plant.pem": "a certificate"}}
    assert tables_of(spark) == []


def test_without_workers_none_is_asked(spark: Launcher, bundle: Path) -> None:
    found = Checkup(spark, bundle, "--shards=driver")
    assert found.raised == "", found.trace
    assert [f["check"] for f in found.report["findings"] if f["where"] == "worker"] == ["worker"]
    assert found.finding("worker")["state"] == "skipped"


def test_what_the_program_finds_is_red(spark: Launcher, bundle: Path) -> None:
    faults = {"folder": {"state": "fail", "detail": "operation not permitted", "figures": {"step": "write"}}, "node": {"exit": 9}}
    found = Checkup(spark, bundle, "--shards=driver", FAKE_FINDINGS=json.dumps(faults))
    assert found.raised.startswith("TaskFailed: 2 of ")
    assert found.finding("volume")["state"] == "fail"
    assert "operation not permitted" in found.finding("volume")["detail"]
    assert "exit code 9" in found.finding("program")["detail"]
    assert found.of("token") == [("", "ok")], "a red line stops no other check"


def test_variables_that_are_not_the_secret(spark: Launcher, bundle: Path) -> None:
    found = Checkup(spark, bundle, "--shards=executors", "--secret=NOWHERE=plant/other", "--secret=EMPTY=plant/none", EMPTY="")
    states = {(f["where"], f["figures"]["variable"]): f["detail"] for f in found.report["findings"] if f["check"] == "secret"}
    assert states["driver", "NOWHERE"] == "the variable is not set"
    assert states["driver", "EMPTY"] == "the variable is empty"
    assert states["worker", "NOWHERE"] == "the variable is not set"
    assert found.of("secret") == [("driver", "fail"), ("driver", "fail"), ("worker", "fail"), ("worker", "fail")]


def test_secrets_are_compared_by_digest(spark: Launcher) -> None:
    same = spark.code(
        "from pi_extractor.checkup import compare, digest\n"
        "key, have = b'k' * 32, {'A': 'pass word', 'B': 'x'}\n"
        "digests = {name: digest(key, value) for name, value in (('A', 'pass word'), ('B', 'x\\n'))}\n"
        "result = [(f.state, f.detail) for f in compare({'A': 's/a', 'B': 's/b'}, digests, {}, key, have, 'driver')]"
    )
    assert same == [["ok", ""], ["fail", "the variable is not what the secret is"]]


def test_a_catalog_that_is_not_there(spark: Launcher, bundle: Path) -> None:
    found = Checkup(spark, bundle, "--shards=driver", "--catalog=nowhere")
    assert found.raised.startswith("TaskFailed: 1 of ")
    assert found.finding("schema")["state"] == "fail"
    assert found.of("token") == [], "nothing else can be there"


def test_a_parameter_of_another_version_is_refused(spark: Launcher) -> None:
    answer = spark.do({"task": "doctor", "arguments": ["--colour=blue"], "environment": {}})
    assert "has no parameter --colour" in answer["raised"] and "deploy again" in answer["raised"]
