"""Checks what the tasks need of the cluster that this runs on, and cleans up.

It prints a line for each check, and at the end one line of JSON that `bundlegen
doctor --on-cluster` reads. What only the program can know it is asked for, by a
process for each check, as shards are run: on the driver and on a worker.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, Sequence

from pi_extractor import session
from pi_extractor.binary import local_copy
from pi_extractor.outcome import TaskFailed
from pi_extractor.pipe import describe

if TYPE_CHECKING:
    from pyarrow import RecordBatch  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from pyspark.sql import SparkSession

VERSION = 1
STAGING = "PI_EXTRACTOR_STAGING"  # a folder that driver and workers share, where there are no volumes
CHECK_SECONDS = 120.0  # of one process of the program; a site that does not answer takes 30
MERGES = 3  # how often two are started at once: either may be late
MOST_DETAIL = 300  # characters

OK, WARN, FAIL, SKIPPED = "ok", "warn", "fail", "skipped"
DRIVER, WORKER = "driver", "worker"


@dataclass
class Finding:
    """What one check found. None holds a secret."""

    check: str
    subject: str
    where: str  # DRIVER, WORKER, or "" for what is of neither
    state: str
    figures: dict[str, Any] = field(default_factory=dict)
    detail: str = ""


@dataclass
class Wanted:
    """What the job's parameters say."""

    pipeline: str = ""
    catalog: str = ""
    prefix: str = ""
    bundle: str = ""
    workers: bool = True  # shards run on them
    secrets: dict[str, str] = field(default_factory=dict)  # scope/key by variable


def doctor() -> None:
    """Check the cluster. Returns when nothing is wrong, raises TaskFailed otherwise."""
    wanted = understand(sys.argv[1:])
    findings: list[Finding] = []
    for finding in examine(wanted):
        findings.append(finding)
        print(line(finding), flush=True)
    print(json.dumps({"doctor": VERSION, "findings": [asdict(f) for f in findings]}, default=str), flush=True)
    if wrong := sum(f.state == FAIL for f in findings):
        raise TaskFailed(f"{wrong} of {len(findings)} checks failed; bundlegen doctor shows what each one breaks")


def understand(arguments: Sequence[str]) -> Wanted:
    wanted = Wanted()
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if name == "secret":
            variable, _, secret = value.partition("=")
            wanted.secrets[variable] = secret
        elif name == "shards":
            wanted.workers = value != DRIVER
        elif name == "schema-prefix":
            wanted.prefix = value
        elif name in ("pipeline", "catalog", "bundle"):
            setattr(wanted, name, value)
        else:
            raise TaskFailed(f"the doctor has no parameter --{name}\nhint: bundle and wheel are of two versions: deploy again")
    return wanted


def line(finding: Finding) -> str:
    figures = ", ".join(f"{name} {value}" for name, value in finding.figures.items())
    words = "; ".join(part for part in (figures, finding.detail) if part)
    return f"{finding.state:<8} {finding.check:<10} {finding.where:<7} {finding.subject}  {words}".rstrip()


def examine(wanted: Wanted) -> Iterator[Finding]:
    """Make all checks, each whatever the others found."""
    spark = session.start()
    values, unread = read_secrets(wanted.secrets)
    environment = {**{name: value for name, value in values.items() if not wanted.workers}, **os.environ}
    on_worker: Callable[[Callable[[], Iterable[Finding]]], Iterable[Finding]] = partial(run_on_worker, spark)

    yield from guarded("runtime", "", DRIVER, lambda: [runtime(spark)])
    yield from guarded("program", "", DRIVER, lambda: program(DRIVER, ["node"], environment))
    key = secrets.token_bytes(32)
    digests = {name: digest(key, value) for name, value in values.items()}
    yield from guarded("secret", "", DRIVER, lambda: compare(wanted.secrets, digests, unread, key, environment, DRIVER))
    yield from guarded("site", "", DRIVER, lambda: program(DRIVER, ["sites", wanted.bundle], environment))
    if wanted.workers:
        yield from guarded("program", "", WORKER, lambda: on_worker(partial(program, WORKER, ["node"])))
        yield from guarded(
            "secret", "", WORKER, lambda: on_worker(partial(compare, wanted.secrets, digests, unread, key, None, WORKER))
        )
        pack = pack_sites(wanted.bundle)
        yield from guarded("site", "", WORKER, lambda: on_worker(partial(program, WORKER, ["sites"], None, pack)))
        yield from guarded("heartbeat", "", WORKER, lambda: heartbeat(spark, on_worker))
    else:
        yield Finding("worker", "", WORKER, SKIPPED, detail="on serverless compute the driver reads, and no worker")
    yield from tables(spark, wanted)


def guarded(check: str, subject: str, where: str, make: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Give the findings of a check; what it raises is one."""
    try:
        yield from make()
    except Exception as error:
        yield Finding(check, subject, where, FAIL, detail=short(describe(error)["message"]))


def short(text: str) -> str:
    """Give the first line of an error, and the end of its chain of causes."""
    first, *rest = text.strip().splitlines() or [""]
    caused = [more for more in rest if more.startswith(("Caused by: ", "pi_extractor.", "hint: "))]
    return " ".join([first, *caused[-1:]])[:MOST_DETAIL]


def runtime(spark: SparkSession) -> Finding:
    return Finding(
        "runtime",
        os.environ.get("DATABRICKS_RUNTIME_VERSION", ""),
        DRIVER,
        OK,
        {
            "spark": spark.version,
            "python": platform.python_version(),
            "processor": platform.machine(),
            "processors": os.cpu_count(),
            "temp": tempfile.gettempdir(),
        },
    )


def program(
    where: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None, given: str = ""
) -> list[Finding]:
    """Have the program make a check here, and give its findings."""
    done = subprocess.run(
        [local_copy(), "doctor", *arguments],
        env=dict(os.environ if environment is None else environment),
        input=given.encode(),
        capture_output=True,
        timeout=CHECK_SECONDS,
        check=False,
    )
    findings = [found(json.loads(text), where) for text in done.stdout.splitlines()]
    if done.returncode != 0:
        raise RuntimeError(f"pi-extractor doctor: exit code {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
    return findings


def found(finding: Mapping[str, Any], where: str) -> Finding:
    check = "program" if finding["check"] == "node" else finding["check"]
    detail = short(finding.get("detail", ""))
    return Finding(check, finding.get("subject", ""), where, finding["state"], finding.get("figures", {}), detail)


def run_on_worker(spark: SparkSession, make: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Make a check in a task of Spark's."""
    rows = spark.range(0, 1, 1, 1).mapInArrow(partial(in_task, make), "finding STRING").collect()
    return [Finding(**json.loads(row[0])) for row in rows]


def in_task(make: Callable[[], Iterable[Finding]], rows: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    import pyarrow

    for _ in rows:
        findings = [json.dumps(asdict(f), default=str) for f in make()]
        yield pyarrow.RecordBatch.from_arrays([pyarrow.array(findings, pyarrow.string())], ["finding"])


def read_secrets(wanted: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Read the secrets by Databricks' own API; give the values, and why there is none, by variable."""
    values: dict[str, str] = {}
    unread: dict[str, str] = {}
    try:
        from databricks.sdk.runtime import dbutils  # type: ignore[import-not-found, unused-ignore]  # only on Databricks
    except ImportError:
        return {}, dict.fromkeys(wanted, "there is no dbutils outside of Databricks")
    for variable, secret in wanted.items():
        try:
            values[variable] = dbutils.secrets.get(*secret.split("/", 1))
        except Exception as error:
            unread[variable] = short(str(error))
    return values, unread


def digest(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def compare(
    wanted: Mapping[str, str],
    digests: Mapping[str, str],
    unread: Mapping[str, str],
    key: bytes,
    environment: Mapping[str, str] | None,
    where: str,
) -> list[Finding]:
    """Compare each variable with the secret that it stands for, by digests under a key of this run."""
    here = os.environ if environment is None else environment
    findings = []
    for variable, secret in wanted.items():
        finding = Finding("secret", secret, where, OK, {"variable": variable})
        value = here.get(variable, "")
        if not value:
            finding.state, finding.detail = FAIL, "the variable is not set" if variable not in here else "the variable is empty"
        elif variable in unread:
            finding.state, finding.detail = SKIPPED, "set, but there is nothing to compare it with: " + unread[variable]
        elif digest(key, value) != digests[variable]:
            finding.state, finding.detail = FAIL, "the variable is not what the secret is"
        findings.append(finding)
    return findings


def pack_sites(bundle: str) -> str:
    """Give what a worker, which may not see the bundle's folder, is to know of the sites."""
    folder = Path(bundle)
    sites = json.loads((folder / "sites.json").read_text("utf-8"))
    names = {site.get("tls", {}).get("ca_file", "") for site in sites["sites"]}
    names |= {site["auth"].get("krb5_conf", "") for site in sites["sites"]}
    return json.dumps({"sites": sites, "files": {name: (folder / name).read_text("utf-8") for name in names if name}})


def heartbeat(spark: SparkSession, on_worker: Callable[[Callable[[], Iterable[Finding]]], Iterable[Finding]]) -> list[Finding]:
    """Have a worker connect to the program on the driver, as shards do."""
    host = str(spark.conf.get("spark.driver.host", "127.0.0.1"))
    process = subprocess.Popen(
        [local_copy(), "doctor", "heartbeat", host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        text = process.stdout.readline()
        if not text:
            return [Finding("heartbeat", host, DRIVER, FAIL, detail="the program did not listen")]
        listening = found(json.loads(text), DRIVER)
        if listening.state != OK:
            return [listening]
        reached = list(on_worker(partial(program, WORKER, ["reach", listening.subject])))
        return [Finding("heartbeat", f.subject, WORKER, f.state, f.figures, f.detail) for f in reached]
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def tables(spark: SparkSession, wanted: Wanted) -> Iterator[Finding]:
    """Check schema, volume and Delta, in tables and a volume of this run alone."""
    schema = f"{quoted(wanted.catalog)}.{quoted(wanted.prefix + 'checkpoints')}"
    suffix = secrets.token_hex(6)
    made: list[str] = []  # statements that undo what was made
    try:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        yield Finding("schema", schema, "", OK)
    except Exception as error:
        yield Finding("schema", schema, "", FAIL, detail=short(describe(error)["message"]))
        return  # nothing else can be there
    try:
        yield from guarded("volume", "", DRIVER, lambda: volume(spark, wanted, schema, suffix, made))
        yield from guarded("token", schema, "", lambda: token(spark, f"{schema}.{quoted('doctor_token_' + suffix)}", made))
        yield from guarded("merges", schema, "", lambda: merges(spark, f"{schema}.{quoted('doctor_merges_' + suffix)}", made))
        yield from guarded("properties", schema, "", lambda: properties(spark, schema))
    finally:
        for statement in reversed(made):
            yield from guarded("cleanup", schema, "", lambda undo=statement: drop(spark, undo))  # type: ignore[misc]


def drop(spark: SparkSession, statement: str) -> list[Finding]:
    spark.sql(statement)
    return []


def volume(spark: SparkSession, wanted: Wanted, schema: str, suffix: str, made: list[str]) -> Iterator[Finding]:
    """Do in a volume what staging does, as the program and as Spark."""
    folder = os.environ.get(STAGING, "")
    if folder:
        folder = str(Path(folder, f"doctor_{suffix}"))
    else:
        name = f"{schema}.{quoted('doctor_' + suffix)}"
        spark.sql(f"CREATE VOLUME {name}")
        made.append(f"DROP VOLUME IF EXISTS {name}")
        folder = f"/Volumes/{wanted.catalog}/{wanted.prefix}checkpoints/doctor_{suffix}"
    for finding in program(DRIVER, ["folder", folder + "/own"]):
        yield Finding("volume", finding.subject, DRIVER, finding.state, finding.figures, finding.detail)
    spark.range(9).write.mode("error").parquet(folder + "/spark")
    yield from program(DRIVER, ["listed", folder + "/spark"])
    if os.environ.get(STAGING):
        os.rmdir(folder)


def token(spark: SparkSession, table: str, made: list[str]) -> list[Finding]:
    """Append the same batch twice, with one token: it counts once."""
    made.append(f"DROP TABLE IF EXISTS {table}")
    spark.sql(f"CREATE TABLE {table} (k BIGINT) USING DELTA")
    for _ in range(2):
        rows = spark.range(1).selectExpr("id AS k").write.format("delta").mode("append")
        rows.option("txnAppId", "doctor").option("txnVersion", 1).saveAsTable(table)
    count = spark.table(table).count()
    return [Finding("token", table, "", OK if count == 1 else FAIL, {"rows": count})]


def merges(spark: SparkSession, table: str, made: list[str]) -> list[Finding]:
    """Start two MERGEs at once whose source is empty once the table is not, and count what they left.

    Either answer is right: no rule of the tasks rests on it. It tells which of the two Deltas this is.
    """
    made.append(f"DROP TABLE IF EXISTS {table}")
    spark.sql(f"CREATE TABLE {table} (k INT, v STRING) USING DELTA")
    most = 0
    for _ in range(MERGES):
        spark.sql(f"DELETE FROM {table}")
        threads = [threading.Thread(target=merge, args=(spark, table, name)) for name in "ab"]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        most = max(most, spark.table(table).count())
    return [Finding("merges", table, "", OK, {"rows": most})]


def merge(spark: SparkSession, table: str, name: str) -> None:
    try:
        spark.sql(
            f"MERGE INTO {table} t USING (SELECT 1 k, '{name}' v FROM (SELECT count(*) n FROM {table}) WHERE n = 0) s"
            " ON t.k = s.k WHEN NOT MATCHED THEN INSERT *"
        )
    except Exception:
        pass  # it lost against the other: there is one row then


PROPERTIES = ("delta.isolationLevel", "delta.enableDeletionVectors")


def properties(spark: SparkSession, schema: str) -> list[Finding]:
    """Tell the properties of the control tables, for those that are there."""
    findings = []
    for table in ("tag_watermarks", "epochs"):
        name = f"{schema}.{quoted(table)}"
        if not spark.catalog.tableExists(name):
            continue
        have = {row[0]: row[1] for row in spark.sql(f"SHOW TBLPROPERTIES {name}").collect()}
        findings.append(Finding("properties", name, "", OK, {key: have.get(key, "default") for key in PROPERTIES}))
    return findings


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
