# Databricks notebook source
# MAGIC %md
# MAGIC # What this project assumes of Databricks
# MAGIC
# MAGIC Everything here was tested on open Spark and Delta, not yet on Databricks. This notebook tries the
# MAGIC assumptions that no documentation settles. It takes about five minutes.
# MAGIC
# MAGIC 1. Import it into the workspace, and attach it to a **dedicated** cluster with runtime 17.3 LTS or newer and
# MAGIC    **one worker** (not single node: the worker is half of the question).
# MAGIC 2. Set `CATALOG` and `SCHEMA` below to a schema in which you may create tables and a volume, and `SITES` to the
# MAGIC    hosts of your PI Web API servers.
# MAGIC 3. Run all. Paste the last cell's output into an issue. It has no secret in it, but your host names: cut them out
# MAGIC    if you mind.
# MAGIC
# MAGIC What it makes has a random suffix and is dropped in the last cell.

# COMMAND ----------

CATALOG = "main"
SCHEMA = "default"
SITES = ["pi.plant-a.example:443"]  # host:port
VARIABLES = ["PI_PLANT_A_PASSWORD"]  # environment variables that should come from secrets; only whether they are set is printed

# COMMAND ----------

import errno
import os
import platform
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid

suffix = uuid.uuid4().hex[:8]
schema = f"`{CATALOG}`.`{SCHEMA}`"
volume = f"bundlegen_check_{suffix}"
folder = os.environ.get("BUNDLEGEN_CHECK_FOLDER", f"/Volumes/{CATALOG}/{SCHEMA}/{volume}")
made_tables = []
answers = []


def answer(question, text):
    """Keep and print one line of the result."""
    answers.append(f"{question:<44} {text}")
    print(answers[-1])


def attempt(question, ask):
    """Answer with what ask returns; with the error, on one line, where it raises one."""
    try:
        answer(question, ask())
    except Exception as e:  # any error is an answer, and the others are still wanted
        answer(question, f"ERROR {type(e).__name__}: {str(e).splitlines()[0][:160] if str(e) else ''}")


def table(name):
    """Return the full name of a table of this check, which the last cell drops."""
    full = f"{schema}.`bundlegen_check_{name}_{suffix}`"
    made_tables.append(full)
    return full


# COMMAND ----------
# MAGIC %md ## The machines

# COMMAND ----------


def executable_folder():
    """Whether a program may run from the temporary folder: pi-extractor is unpacked there."""
    with tempfile.TemporaryDirectory() as where:
        program = os.path.join(where, "program")
        with open(program, "w") as f:
            f.write("#!/bin/sh\nexit 7\n")
        os.chmod(program, stat.S_IRWXU)
        code = subprocess.run([program], check=False).returncode
    return "runs" if code == 7 else f"exit code {code}"


def machine():
    return f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, temporary folder {tempfile.gettempdir()}"


def on_executor(ask):
    """Return what ask returns on an executor."""

    def work(batches):
        import pyarrow

        for _ in batches:
            yield pyarrow.RecordBatch.from_pydict({"s": [ask()]})

    return spark.range(1).repartition(1).mapInArrow(work, "s string").first()[0]


attempt("runtime", lambda: os.environ.get("DATABRICKS_RUNTIME_VERSION", "not Databricks") + f", Spark {spark.version}")
attempt("driver", machine)
attempt("executor", lambda: on_executor(machine))
attempt("a program runs on the driver", executable_folder)
attempt("a program runs on an executor", lambda: on_executor(executable_folder))

# COMMAND ----------
# MAGIC %md ## Secrets: set on both kinds of machine?

# COMMAND ----------


def which_are_set():
    return ", ".join(f"{name} {'set' if os.environ.get(name) else 'NOT SET'}" for name in VARIABLES)


attempt("secrets on the driver", which_are_set)
attempt("secrets on an executor", lambda: on_executor(which_are_set))

# COMMAND ----------
# MAGIC %md ## The way to PI: DNS, TCP and TLS, from both kinds of machine

# COMMAND ----------


def reach(site):
    """Say how far a connection to host:port comes."""
    host, _, port = site.partition(":")
    begin = time.monotonic()
    try:
        address = socket.getaddrinfo(host, int(port or 443), type=socket.SOCK_STREAM)[0][4]
    except OSError as e:
        return f"DNS fails: {e}"
    try:
        connection = socket.create_connection(address[:2], timeout=10)
    except OSError as e:
        return f"{address[0]}: TCP fails: {e}"
    with connection:
        try:
            with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as tls:
                how = f"{tls.version()}"
        except OSError as e:
            how = f"TLS fails: {e}"
    return f"{address[0]}: {how}, {(time.monotonic() - begin) * 1000:.0f} ms"


for site in SITES:
    attempt(f"{site} from the driver", lambda: reach(site))
    attempt(f"{site} from an executor", lambda: on_executor(lambda: reach(site)))

# COMMAND ----------
# MAGIC %md ## May an executor connect to a port of the driver? Shards send their heartbeats there.

# COMMAND ----------


def heartbeat():
    host = spark.conf.get("spark.driver.host")
    with socket.create_server((host, 0)) as server:
        server.settimeout(30)
        port = server.getsockname()[1]

        def connect():
            with socket.create_connection((host, port), timeout=10) as c:
                c.sendall(b"beat")
            return "sent"

        threading.Thread(target=lambda: on_executor(connect), daemon=True).start()
        connection, peer = server.accept()
        with connection:
            return f"yes, from {peer[0]}" if connection.recv(4) == b"beat" else "something else connected"


attempt("an executor connects to the driver", heartbeat)

# COMMAND ----------
# MAGIC %md ## The volume: what batches are staged on

# COMMAND ----------


def create_volume():
    if folder.startswith("/Volumes/"):
        spark.sql(f"CREATE VOLUME {schema}.`{volume}`")
    begin = time.monotonic()
    while not os.path.isdir(folder):
        if time.monotonic() - begin > 120:
            return "not seen within 120 s"
        time.sleep(0.05)
    return f"seen after {(time.monotonic() - begin) * 1000:.0f} ms"


def write_durably():
    path = os.path.join(folder, "a", "marker.tmp")
    os.makedirs(os.path.dirname(path))
    f = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(f, b"1" * (1 << 20))
    os.fsync(f)
    os.close(f)
    with open(path, "rb") as g:
        return "1 MiB written, synced and read back" if len(g.read()) == 1 << 20 else "short read"


def exclusive():
    try:
        os.close(os.open(os.path.join(folder, "a", "marker.tmp"), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        return "NOT exclusive: a file that exists was created again"
    except FileExistsError:
        return "exclusive"


def rename():
    try:
        os.rename(os.path.join(folder, "a", "marker.tmp"), os.path.join(folder, "a", "marker"))
        return "works"
    except OSError as e:
        return f"{errno.errorcode.get(e.errno, '?')} ({e.errno}); ENOSYS (38) is handled"


def empty_file():
    path = os.path.join(folder, "a", "empty")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    return f"{os.stat(path).st_size} bytes"


def listed():
    data = os.path.join(folder, "a", "data")
    spark.range(9).write.parquet(data)
    begin = time.monotonic()
    while not (os.path.isdir(data) and any(n.endswith(".parquet") for n in os.listdir(data))):
        if time.monotonic() - begin > 120:
            return "not listed within 120 s"
        time.sleep(0.05)
    return f"after {(time.monotonic() - begin) * 1000:.0f} ms"


def remove():
    shutil.rmtree(os.path.join(folder, "a"))
    return "gone" if not os.path.exists(os.path.join(folder, "a")) else "still listed"


attempt("a new volume", create_volume)
attempt("a file", write_durably)
attempt("exclusive creation", exclusive)
attempt("an empty file", empty_file)
attempt("rename", rename)
attempt("files that Spark wrote are listed", listed)
attempt("removing a folder", remove)

# COMMAND ----------
# MAGIC %md ## Delta: an append with a token counts once; whether two MERGEs that touch no common row both commit

# COMMAND ----------


def token():
    name = table("token")
    spark.sql(f"CREATE TABLE {name} (k BIGINT) USING delta")
    for _ in range(2):
        rows = spark.range(1).toDF("k").write.format("delta").mode("append")
        rows.option("txnAppId", f"bundlegen/{suffix}").option("txnVersion", 1).saveAsTable(name.replace("`", ""))
    return f"{spark.table(name).count()} row; 1 is right"


def merges(properties):
    """Two MERGEs at once, each of which inserts a row if the table is empty."""
    worst, errors = 0, set()
    for round_number in range(2):
        name = table(f"merge{round_number}_{len(made_tables)}")
        spark.sql(f"CREATE TABLE {name} (k INT, v STRING) USING delta {properties}")

        def merge(value):
            try:
                spark.sql(
                    f"MERGE INTO {name} t USING (SELECT 1 k, '{value}' v FROM (SELECT count(*) n FROM {name}) WHERE n = 0) s "
                    "ON t.k = s.k WHEN NOT MATCHED THEN INSERT *"
                )
            except Exception as e:
                errors.add(type(e).__name__)

        threads = [threading.Thread(target=merge, args=(value,)) for value in "ab"]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        worst = max(worst, spark.table(name).count())
    return f"at most {worst} row(s); refused with {sorted(errors) or 'nothing'}"


STRICT = "TBLPROPERTIES ('delta.enableDeletionVectors' = 'false', 'delta.isolationLevel' = 'Serializable')"
attempt("the same append twice", token)
attempt("two MERGEs, a table as it comes", lambda: merges(""))
attempt("two MERGEs, as control tables are made", lambda: merges(STRICT))
attempt("predictive optimization", lambda: [r for r in spark.sql(f"DESCRIBE CATALOG EXTENDED `{CATALOG}`").collect() if "ptimiz" in str(r[0])] or "not named")

# COMMAND ----------
# MAGIC %md ## The result, to paste into an issue

# COMMAND ----------

for full in made_tables:
    try:
        spark.sql(f"DROP TABLE IF EXISTS {full}")
    except Exception as e:
        answer("left behind", f"{full}: {type(e).__name__}")
if folder.startswith("/Volumes/"):
    try:
        spark.sql(f"DROP VOLUME IF EXISTS {schema}.`{volume}`")
    except Exception as e:
        answer("left behind", f"{schema}.`{volume}`: {type(e).__name__}")
print("\n".join(answers))
