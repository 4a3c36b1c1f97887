"""Ordinary files, and what is none: folders, devices, pipes and sockets."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# A pipe would be waited for until somebody writes, and a terminal could become the process's own.
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_ordinary(path: str | os.PathLike[str]) -> BinaryIO:
    """Open an ordinary file for reading; OSError with its name for anything else, at once."""
    given = os.fspath(path)
    check(os.stat(given).st_mode, given)
    file = open(given, "rb", opener=lambda name, flags: os.open(name, flags | WITHOUT_WAITING))  # noqa: SIM115
    try:
        # Another one may have taken the name in between.
        check(os.fstat(file.fileno()).st_mode, given)
    except BaseException:
        file.close()
        raise
    return file


def ordinary_mode(path: str) -> int | None:
    """The permissions of an ordinary file, None if there is nothing; OSError for what is none."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    check(mode, path)
    return stat.S_IMODE(mode)


def check(mode: int, path: str | bytes) -> None:
    """OSError for what is no ordinary file."""
    if stat.S_ISREG(mode):
        return
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    kind = KINDS.get(stat.S_IFMT(mode), "something else")
    raise OSError(number, f"this is {kind}, a model is in an ordinary file", path)
