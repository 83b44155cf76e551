"""The three verbs but shards, and what is no request."""

from __future__ import annotations

import pytest
from conftest import Launcher


def test_hello_says_what_the_session_is(spark: Launcher) -> None:
    outcome = spark.run("print(json.dumps(hello))")
    assert outcome.raised == ""
    hello = outcome.said["hello"]
    assert outcome.said["v"] == 1
    assert hello["spark"].startswith("4.") and hello["python"].count(".") == 2
    assert hello["remote"] is (spark.kind == "connect")
    assert hello["driver"] == "127.0.0.1"


def test_sql_gives_back_rows(spark: Launcher) -> None:
    outcome = spark.run(
        """
print(json.dumps([
    pipe.sql("SELECT :a, :b, :c, :d, :e, :f", a="it's {x} \\u00e9 :b", b=1 << 40, c=2.5, d=True, e=None, f=-1),
    pipe.sql("SELECT DATE'2026-01-02', CAST(1.5 AS DECIMAL(4,2)), array(1, 2)"),
    pipe.sql("SELECT 1 WHERE false"),
    pipe.ask("sql", statement="SELECT '{not} :a parameter'"),
]))"""
    )
    assert outcome.said == [
        [["it's {x} é :b", 1 << 40, 2.5, True, None, -1]],
        [["2026-01-02", "1.50", [1, 2]]],
        [],
        [["{not} :a parameter"]],
    ]


def test_many_rows_come_in_lines_of_bounded_length(spark: Launcher) -> None:
    outcome = spark.run(
        """
rows = pipe.sql("SELECT id, concat('tag ', id) FROM range(100000)")
assert sorted(rows) == [[i, f"tag {i}"] for i in range(100000)]
print(max(len(line.get("rows", [])) for line in pipe.lines))"""
    )
    assert outcome.raised == "", outcome
    assert outcome.said == 5000


def test_a_value_that_json_has_no_word_for_is_an_error(spark: Launcher) -> None:
    outcome = spark.run(
        """
try:
    pipe.sql("SELECT CAST('NaN' AS DOUBLE)")
except Refused as refused:
    print(json.dumps([refused.args[0], pipe.sql("SELECT 1")]))"""
    )
    assert outcome.said == ["ValueError", [[1]]]


def test_an_error_of_spark_is_an_answer(spark: Launcher) -> None:
    outcome = spark.run(
        """
errors = []
for statement in ["SELECT nope", "SELEKT", "SELECT raise_error(repeat('x', 20000))", "SELECT * FROM spark_catalog.no.table"]:
    try:
        pipe.sql(statement)
    except Refused as refused:
        errors.append(refused.args)
print(json.dumps([errors, pipe.sql("SELECT 1")]))"""
    )
    (column, parse, long, table), after = outcome.said
    assert column[0] == "AnalysisException" and "[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION]" in column[1]
    assert parse[0] == "ParseException" and "[PARSE_SYNTAX_ERROR]" in parse[1]
    assert "[USER_RAISED_EXCEPTION]" in long[1] and len(long[1]) == 8000
    assert "[TABLE_OR_VIEW_NOT_FOUND]" in table[1]
    assert not any("\tat " in message for _, message in (column, parse, long, table))
    assert after == [[1]], "the pipe goes on"
    assert outcome.stderr == ""


def test_append_commits_a_token_once(spark: Launcher) -> None:
    outcome = spark.run(
        """
table = "spark_catalog.default.appended"
pipe.sql(f"CREATE TABLE {table} (a INT, b STRING, c DOUBLE) USING delta")
def append(query, app, version, **args):
    pipe.ask("append", query=query, args=args, table=table, app=app, version=version, metadata=f"batch {app}{version}")
append("SELECT :b AS b, 1 AS a", "app/1", 7, b="by name")
append("SELECT :b AS b, 1 AS a", "app/1", 7, b="by name")
append("SELECT 'next' AS b", "app/1", 8)
append("SELECT 'free' AS b", "", 7)
append("SELECT 'free' AS b", "", 7)
try:
    append("SELECT 1 AS unknown", "app/3", 1)
except Refused as refused:
    wrong = refused.args[1]
print(json.dumps([
    pipe.sql(f"SELECT a, b, c FROM {table} ORDER BY b"),
    pipe.sql(f"DESCRIBE HISTORY {table}"),
    wrong,
]))"""
    )
    assert outcome.raised == "", outcome
    rows, history, wrong = outcome.said
    assert rows == [[1, "by name", None], *[[None, b, None] for b in ("free", "free", "next")]]
    metadata = [commit[-2] for commit in reversed(history) if commit[4] == "WRITE"]
    assert metadata == ["batch app/17", "batch app/18", "batch 7", "batch 7"]
    assert "schema" in wrong


def test_a_verb_that_takes_long_gives_signs_of_life(spark: Launcher) -> None:
    spark.code("from pi_extractor import pipe; pipe.BEAT_SECONDS = 0.2")
    outcome = spark.run(
        """
pipe.sql("SELECT java_method('java.lang.Thread', 'sleep', 1500L)")
print(json.dumps(pipe.lines))"""
    )
    spark.code("from pi_extractor import pipe; pipe.BEAT_SECONDS = 5.0")
    lines = outcome.said
    assert {"v": 1, "id": 1, "busy": True} in lines[:3] and len(lines) >= 6
    assert lines[-1] == {"v": 1, "id": 1, "done": True}


@pytest.mark.parametrize(
    "line, says",
    [
        (b"SELECT 1", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "version 1"),
        (b'{"v":2,"id":1,"verb":"sql","statement":"SELECT 1","args":{}}', "version 1"),
        (b'{"v":1,"id":2,"verb":"sql","statement":"SELECT 1","args":{}}', "request 1 is due, not 2"),
        (b'{"v":1,"id":1,"verb":"drop"}', "allowed are sql, append, shards"),
        (b'{"v":1,"id":1,"verb":["sql"]}', "allowed are sql, append, shards"),
        (b'{"v":1,"id":1,"verb":"sql","args":{}}', "statement"),
        (b'{"v":1,"id":1,"verb":"sql","statement":1,"args":{}}', "statement"),
        (b'{"v":1,"id":1,"verb":"sql","statement":"SELECT 1","args":[1]}', "args"),
        (b'{"v":1,"id":1,"verb":"sql","statement":"SELECT 1","args":{"a":[1]}}', "args"),
        (b'{"v":1,"id":1,"verb":"append","query":"SELECT 1","table":"t","app":"a","version":"7","metadata":""}', "version"),
        (b'{"v":1,"id":1,"verb":"append","query":"SELECT 1","table":"t","app":"a","version":true,"metadata":""}', "version"),
        (b'{"v":1,"id":1,"verb":"shards","specs":[1],"lanes":1,"schema":"a INT","select":["a"],"path":"/x"}', "specs"),
        (b'{"v":1,"id":1,"verb":"shards","specs":["1"],"lanes":1,"schema":"a INT","select":"a","path":"/x"}', "select"),
    ],
)
def test_what_is_no_request_ends_the_serving(spark: Launcher, line: bytes, says: str) -> None:
    outcome = spark.run(f"pipe.send({line!r}); print(json.dumps([pipe.receive(), pipe.receive()])); sys.exit(1)")
    answer, after = outcome.said
    assert after is None, "the pipe is closed"
    assert answer["v"] == 1 and answer["id"] == 1
    assert answer["error"]["type"] == "ProtocolError" and says in answer["error"]["message"]
    assert outcome.raised.startswith("TaskFailed: pi-extractor extract ended with exit code 1")


def test_a_program_that_hangs_after_it_broke_the_protocol_is_ended(spark: Launcher) -> None:
    spark.code("from pi_extractor import launcher; launcher.END_SECONDS = 0.5")
    outcome = spark.run("pipe.send(b'nonsense'); time.sleep(60)")
    spark.code("from pi_extractor import launcher; launcher.END_SECONDS = 20.0")
    assert "ended by signal 9" in outcome.raised


def test_a_request_that_was_not_written_to_its_end_is_none(spark: Launcher) -> None:
    outcome = spark.run(
        """
pipe.sql("CREATE TABLE spark_catalog.default.untouched (a INT) USING delta")
pipe.requests.write(b'{"v":1,"id":2,"verb":"sql","statement":"DROP TABLE spark_catalog.default.untouched","args":{}}')
pipe.requests.close()
print(json.dumps(pipe.receive()))"""
    )
    assert outcome.said is None
    assert spark.run("print(json.dumps(pipe.sql('SELECT count(*) FROM spark_catalog.default.untouched')))").said == [[0]]
