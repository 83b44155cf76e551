"""A process with a Spark session in which tasks are launched, one after the other, as a test asks.

It reads lines of JSON from standard input and answers each with one on the
descriptor that is its argument.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from typing import Any

import pi_extractor


def launch(task: str, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run an entry point as a job does; give what it printed and raised."""
    output, errors = sys.stdout, sys.stderr
    sys.stdout, sys.stderr, sys.argv = io.StringIO(), io.StringIO(), [task, *arguments]
    before = dict(os.environ)
    os.environ.update(environment)
    raised, trace = "", ""
    try:
        getattr(pi_extractor, task)()
    except BaseException as error:
        raised, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
    finally:
        out, err = sys.stdout.getvalue(), sys.stderr.getvalue()
        sys.stdout, sys.stderr = output, errors
        for name in environment:
            os.environ.pop(name)
        os.environ.update(before)
    return {"raised": raised, "trace": trace, "stdout": out, "stderr": err}


def main() -> None:
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        for line in sys.stdin:
            request = json.loads(line)
            if "code" in request:
                names: dict[str, Any] = {}
                exec(request["code"], names)
                answer = {"result": names.get("result")}
            else:
                answer = launch(**request)
            print(json.dumps(answer), file=answers, flush=True)


main()
