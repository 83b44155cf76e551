"""The program that the wheel carries, as a file on local disk that can be run."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

NAME = "pi-extractor"


def local_copy() -> str:
    """Give the path of an executable copy on local disk; make it if there is none.

    A cluster may install wheels on a file system that runs no programs, or lose
    the mode of their files. A machine has one copy of one content: its name says
    what is in it, and it gets the name when it is whole, so any number of
    processes may do this at once.
    """
    source = Path(__file__).with_name(NAME)
    content = hashlib.sha256(source.read_bytes()).hexdigest()
    target = private_folder() / f"{NAME}-{content}"
    if not target.exists():
        descriptor, unfinished = tempfile.mkstemp(dir=target.parent)
        os.close(descriptor)
        try:
            shutil.copyfile(source, unfinished)
            os.chmod(unfinished, 0o700)
            os.replace(unfinished, target)
        finally:
            Path(unfinished).unlink(missing_ok=True)
    return str(target)


def private_folder() -> Path:
    """Give a folder in which nobody else can put a program."""
    folder = Path(tempfile.gettempdir(), f"{NAME}-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{folder} is not a folder that only this user can write") from None
    return folder
