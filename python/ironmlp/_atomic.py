"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from typing import Any


def write(path: str | os.PathLike[str], chunks: Iterable[Any]) -> None:
    """Write a file from parts of bytes; one of that name is replaced, and keeps its permissions.

    The bytes go to a new file in the same folder, which takes the name when all of them are on
    disk: a reader sees the old file or the new one, and after an error the old one is untouched. A
    link is followed. What is no ordinary file is not replaced (OSError).
    """
    target = os.path.realpath(os.fsdecode(os.fspath(path)))
    mode = present_mode(target)
    # 0o666 less the umask is what open() gives; the name is short enough for every folder.
    made = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(made, flags, 0o666), "wb") as file:
        try:
            if mode is not None:
                os.chmod(made, mode)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            file.close()  # Windows renames no open file
            os.replace(made, target)
        except BaseException:
            file.close()
            os.unlink(made)
            raise


def present_mode(path: str) -> int | None:
    """The permissions of an ordinary file, None if there is nothing."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        kind = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(kind, "only an ordinary file is replaced", path)
    return stat.S_IMODE(mode)
