"""The copy of the program on local disk."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

COPY = "from pi_extractor.binary import local_copy; print(local_copy())"


@pytest.fixture
def own(package: Path, tmp_path: Path) -> dict[str, str]:
    """What a process needs to find a copy of the package that a test may change, and an empty temporary folder."""
    shutil.copytree(package, tmp_path / "package")
    (tmp_path / "tmp").mkdir()
    return {"PYTHONPATH": str(tmp_path / "package"), "TMPDIR": str(tmp_path / "tmp"), "PATH": "/usr/bin:/bin"}


def start(code: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_processes_at_once_share_one_copy(own: dict[str, str], tmp_path: Path) -> None:
    paths = {p.communicate()[0].strip() for p in [start(COPY, own) for _ in range(6)]}
    (copy,) = map(Path, paths)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700 and stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert list(copy.parent.iterdir()) == [copy], "nothing unfinished is left"
    program = tmp_path / "package" / "pi_extractor" / "pi-extractor"
    assert copy.read_bytes() == program.read_bytes()

    program.chmod(0o600)
    program.write_bytes(program.read_bytes()[:-1] + b" ")  # the same length
    other = Path(start(COPY, own).communicate()[0].strip())
    assert other != copy and other.read_bytes() == program.read_bytes()


def test_a_folder_that_others_can_write_is_not_used(own: dict[str, str]) -> None:
    copy = Path(start(COPY, own).communicate()[0].strip())
    copy.parent.chmod(0o777)
    assert "is not a folder that only this user can write" in start(COPY, own).communicate()[1]


def test_a_program_for_another_processor_is_a_sentence(own: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "package" / "pi_extractor" / "pi-extractor"
    program.chmod(0o600)
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    code = """
import os
from pi_extractor import launcher
before = os.listdir("/proc/self/fd")
try:
    launcher.start("extract", [], {})
except launcher.TaskFailed as error:
    print(error, type(error.__cause__).__name__, os.listdir("/proc/self/fd") == before, sep="\\n")
"""
    first, hint, cause, closed = start(code, own).communicate()[0].splitlines()
    assert first.startswith("this machine cannot run the wheel's pi-extractor: ") and "Exec format error" in first
    assert hint.startswith("hint: ")
    assert (cause, closed) == ("OSError", "True")
