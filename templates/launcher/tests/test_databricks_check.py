"""Runs docs/databricks-check.py here: each of its questions is answered, and it leaves nothing behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parents[3] / "docs" / "databricks-check.py"

HOST = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
exec(compile(sys.stdin.read(), "databricks-check.py", "exec"))
print("TABLES", [t.name for t in spark.catalog.listTables("default")])
"""


def test_notebook(environment: dict[str, str], tmp_path: Path) -> None:
    text = NOTEBOOK.read_text()
    for name, value in {"CATALOG": "spark_catalog", "SITES": ["127.0.0.1:1"], "VARIABLES": ["PLANT_PASSWORD", "ABSENT"]}.items():
        text, replaced = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", text, flags=re.MULTILINE)
        assert replaced == 1, name
    folder = tmp_path / "volume"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", HOST],
        input=text,
        env={**environment, "BUNDLEGEN_CHECK_FOLDER": str(folder)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines = done.stdout.splitlines()
    report = dict(re.split(r"  +", line, maxsplit=1) for line in lines[len(lines) // 2 :] if re.search(r"  +", line))
    assert report["a program runs on the driver"] == report["a program runs on an executor"] == "runs"
    assert report["secrets on an executor"] == "PLANT_PASSWORD set, ABSENT NOT SET"
    assert report["127.0.0.1:1 from an executor"].startswith("127.0.0.1: TCP fails")
    assert report["an executor connects to the driver"] == "yes, from 127.0.0.1"
    assert report["exclusive creation"] == "exclusive"
    assert report["rename"] == "works"
    assert report["removing a folder"] == "gone"
    assert report["the same append twice"] == "1 row; 1 is right"
    assert report["two MERGEs, a table as it comes"].startswith("at most 1 row(s)")  # open Delta's rule
    assert report["two MERGEs, as control tables are made"].startswith("at most 1 row(s)")
    assert environment["PLANT_PASSWORD"] not in done.stdout + done.stderr
    assert lines[-1] == "TABLES []"
    assert list(folder.iterdir()) == []
