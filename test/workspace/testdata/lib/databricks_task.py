"""Runs one python_wheel_task as a node does.

The fake workspace runs a package as a module, and gives it this process's own
environment. A node calls the task's entry point, which it looks up by name in
the metadata of the package, and has its cluster's environment.
"""

import importlib
import importlib.metadata
import json
import os
import sys


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        task = json.load(file)
    os.environ.update(task["environment"])
    os.environ["PYSPARK_PYTHON"] = sys.executable  # all nodes have the wheel
    sys.argv = [task["package"], *task["parameters"]]
    entry_point(task["package"], task["entry_point"])()


def entry_point(package: str, name: str):
    for point in importlib.metadata.distribution(package).entry_points:
        if point.name == name:
            return point.load()
    return getattr(importlib.import_module(package), name)


if __name__ == "__main__":
    main()
