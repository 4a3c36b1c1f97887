"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from typing import Any

from ironmlp._files.ordinary import ordinary_mode

# What a rename over a file says that writing into it may still do: the file is a mount point of
# its own, as in a container, or another user's in a folder with the sticky bit.
CANNOT_RENAME = (errno.EBUSY, errno.EXDEV, errno.EPERM)


def write(path: str | os.PathLike[str], chunks: Iterable[Any]) -> None:
    """Write a file from parts of bytes; one of that name is replaced, and keeps its permissions.

    The bytes go to a new file in the same folder, which takes the name when all of them are on
    disk: a reader sees the old file or the new one, and after an error the old one is untouched. A
    link is followed. What is no ordinary file is not replaced. A file that nothing can be renamed
    over is written in place, after the new one is complete beside it; if that fails, the new one
    stays, and the error names it.

    OSError with `path` as its `filename`.
    """
    given = os.fsdecode(os.fspath(path))
    # Before the first error, for it names the copy that it leaves.
    beside = Beside()
    try:
        write_beside(os.path.realpath(given), chunks, beside)
    except OSError as error:
        if error.errno is None:
            raise
        text = f"{error.strerror}: {beside.note or advice(error.errno, given)}".removesuffix(": ")
        raise OSError(error.errno, text, given) from None
    except BaseException as error:
        if beside.note:
            error.add_note(f"{given!r}: {beside.note}")
        raise


def check_place(path: str | os.PathLike[str]) -> None:
    """The OSError that `write` would end with, as far as one look can tell."""
    given = os.fsdecode(os.fspath(path))
    target = os.path.realpath(given)
    ordinary_mode(target)
    folder = os.path.dirname(target)
    number = 0
    if not os.path.isdir(folder):
        number = errno.ENOTDIR if os.path.exists(folder) else errno.ENOENT
    elif not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EACCES
    if number:
        raise OSError(number, f"{os.strerror(number)}: {advice(number, given)}", given)


class Beside:
    """The new file's first name, which is removed after the block unless it must be kept."""

    path: str = ""
    note: str = ""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if not self.note:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


def write_beside(target: str, chunks: Iterable[Any], beside: Beside) -> None:
    mode = ordinary_mode(target)
    # Short enough for every folder.
    beside.path = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    # An interrupt may come between any two instructions. The name is known before there is a file,
    # and a second look removes what the first was kept from removing. They guard calls alone: a
    # `try` would begin with an instruction that CPython puts outside of every handler.
    with beside, beside:
        make(beside, chunks, mode)
        rename(beside, target, mode)


def make(beside: Beside, chunks: Iterable[Any], mode: int | None) -> None:
    with open(beside.path, "xb") as file:
        if mode is not None:
            os.chmod(beside.path, mode)
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def rename(beside: Beside, target: str, mode: int | None) -> None:
    try:
        os.replace(beside.path, target)
    except OSError as error:
        if error.errno not in CANNOT_RENAME or mode is None:
            raise
        write_over(target, beside)


def write_over(target: str, beside: Beside) -> None:
    """Write the new file's bytes into `target`; the copy beside it is kept until that is whole."""
    with open(beside.path, "rb") as source, open(target, "r+b") as file:
        beside.note = f"the file may be damaged, {beside.path!r} is a complete copy of the new one"
        shutil.copyfileobj(source, file)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    beside.note = ""


def advice(number: int, path: str) -> str:
    """What to do about an error of this number, which has changed nothing."""
    folder = os.path.dirname(path) or os.curdir
    room = "the file is as it was; make room, or save elsewhere"
    writable = f"the folder {folder!r} must be writable, for a new file is made in it first"
    return {
        errno.ENOENT: f"there is no folder {folder!r}, make it first",
        errno.ENOTDIR: f"{folder!r} is no folder",
        errno.EACCES: writable,
        errno.EROFS: writable,
        errno.ENOSPC: room,
        errno.EDQUOT: room,
        errno.ENAMETOOLONG: "take a shorter name",
    }.get(number, "")
