"""What `save` leaves behind when it fails or is interrupted, and what its errors name."""

import errno
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ironmlp as im
from ironmlp._files import atomic
from opcodes import every_instruction
from states import everything

OLD, NEW = b"the old file", b"the new one, which is longer"


def parts() -> Iterator[bytes]:
    yield NEW[:5]
    yield NEW[5:]


def hidden(folder: Path, path: Path) -> list[Path]:
    """What lies in the folder besides the file."""
    return [found for found in folder.iterdir() if found != path]


@pytest.fixture(params=["new", "replaced"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file to write, which is there before or not."""
    if request.param == "replaced":
        (tmp_path / "file").write_bytes(OLD)
    return tmp_path / "file"


@pytest.fixture
def model() -> im.MLP:
    return im.MLP([4, 1], loss="mse", seed=0)


def fails(number: int) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


# A file object that is dropped between its making and its first use warns; it is closed.
dropped = pytest.mark.filterwarnings("ignore::ResourceWarning")


@dropped
def test_an_interrupt_anywhere_leaves_the_old_file_or_the_new_one(path: Path) -> None:
    old = path.read_bytes() if path.exists() else None

    def prepare() -> None:
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)

    seen = set()
    for at in every_instruction(lambda: atomic.write(path, parts()), prepare):
        assert not hidden(path.parent, path), at
        seen.add(path.read_bytes() if path.exists() else None)
    assert seen == {old, NEW}
    assert at > 200


@dropped
@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_an_interrupt_after_an_error_leaves_nothing_either(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    monkeypatch.setattr(os, call, fails(errno.ENOSPC))
    for at in every_instruction(lambda: atomic.write(path, parts()), lambda: None):
        assert not hidden(tmp_path, path), at
        assert path.read_bytes() == OLD
    assert at > 200


@dropped
def test_an_interrupt_while_a_file_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    monkeypatch.setattr(os, "replace", fails(errno.EBUSY))

    def prepare() -> None:
        for found in tmp_path.iterdir():
            found.unlink()
        path.write_bytes(OLD)

    kept = 0
    for at in every_instruction(lambda: atomic.write(path, parts()), prepare):
        copies = [found.read_bytes() for found in hidden(tmp_path, path)]
        if copies:
            # Only from the moment on when the old file may be damaged.
            kept += 1
            assert copies == [NEW], at
        else:
            assert path.read_bytes() in (OLD, NEW), at
    assert kept > 10


@pytest.mark.parametrize("size", [10, 100_000], ids=["at the end", "on the way"])
def test_a_full_disk_leaves_nothing_and_is_named(size: int, path: Path) -> None:
    """The limit of a process is met as a full disk is: `write`, `flush` and `close` fail."""
    old = path.read_bytes() if path.exists() else None
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as caught:
            atomic.write(path, [b"a" * size] * 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert not hidden(path.parent, path)
    assert (path.read_bytes() if path.exists() else None) == old


@pytest.mark.parametrize("moment", ["write", "flush", "close"])
def test_no_space_at_any_moment(
    moment: str, path: Path, model: im.MLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return fails(errno.ENOSPC) if name == moment else getattr(self.file, name)

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()
            self.close()

    opened = open
    monkeypatch.setattr(atomic, "open", lambda *given: Full(opened(*given)), raising=False)
    old = path.read_bytes() if path.exists() else None
    for _ in range(3):
        with pytest.raises(OSError, match=r"No space left on device: .* make room") as caught:
            model.save(path)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
        assert not hidden(path.parent, path)
        assert (path.read_bytes() if path.exists() else None) == old


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.EPERM])
@pytest.mark.parametrize("length", [3, 10_000])
def test_a_file_that_cannot_be_renamed_over_is_written_in_place(
    number: int, length: int, model: im.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * length)
    same = path.stat().st_ino
    monkeypatch.setattr(os, "replace", fails(number))
    model.save(path)
    assert path.stat().st_ino == same
    assert everything(im.load(path)) == everything(model)
    assert not hidden(tmp_path, path)


def test_where_nothing_is_to_be_renamed_over_the_error_stays(
    model: im.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", fails(errno.EBUSY))
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)) as caught:
        model.save(tmp_path / "file")
    assert caught.value.filename == str(tmp_path / "file")
    assert not [*tmp_path.iterdir()]


def test_a_copy_stays_when_writing_in_place_fails(
    model: im.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    monkeypatch.setattr(os, "replace", fails(errno.EBUSY))
    monkeypatch.setattr(atomic.shutil, "copyfileobj", fails(errno.ENOSPC))
    with pytest.raises(OSError, match="a complete copy of the new one") as caught:
        model.save(path)
    (copy,) = hidden(tmp_path, path)
    assert str(copy) in str(caught.value)
    assert caught.value.filename == str(path)
    assert everything(im.load(copy)) == everything(model)


# Names


@pytest.mark.parametrize(
    ("name", "error", "cure"),
    [
        ("no/m.st", FileNotFoundError, "there is no folder '.*no', make it first"),
        ("file/m.st", NotADirectoryError, "'.*file' is no folder"),
        ("n" * 300, OSError, "shorter name"),
        (".", IsADirectoryError, "this is a folder"),
    ],
)
def test_errors_name_the_given_path_and_a_cure(
    name: str, error: type[OSError], cure: str, model: im.MLP, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / name, str(tmp_path / name)):
        with pytest.raises(error, match=cure) as caught:
            model.save(path)
        assert caught.value.filename == os.fspath(path)
        assert ".tmp" not in str(caught.value)
        assert caught.value.filename2 is None
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_not_writable(
    number: int, model: im.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "open", fails(number), raising=False)
    with pytest.raises(OSError, match=r"the folder '.*' must be writable") as caught:
        model.save(tmp_path / "m.st")
    assert caught.value.filename == str(tmp_path / "m.st")


# What is no ordinary file


def filled_pipe(path: Path) -> int:
    """A pipe from which some bytes can be read at once; its descriptor, to be closed."""
    os.mkfifo(path)
    both_ends = os.open(path, os.O_RDWR)
    os.write(both_ends, bytes(8))
    return both_ends


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "link to a pipe"])
def test_only_ordinary_files_are_read_and_replaced(
    kind: str, model: im.MLP, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "thing"
    if kind.endswith("pipe"):
        pipe = path if kind == "pipe" else tmp_path / "pipe"
        request.addfinalizer(partial(os.close, filled_pipe(pipe)))
        if pipe != path:
            path.symlink_to(pipe)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "device":
        path.symlink_to(os.devnull)
    else:
        path.mkdir()
    word = kind.split()[-1]
    for call in (im.load, model.save):
        with pytest.raises(OSError, match=f"this is a {word}") as caught:
            call(path)
        assert caught.value.filename == str(path)
    assert not [*tmp_path.glob(".*")]


def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    program = f"import ironmlp as im\nim.load({str(tmp_path / 'pipe')!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert "OSError" in done.stderr
    assert "this is a pipe" in done.stderr


def test_a_pipe_that_takes_the_files_name_is_not_read(
    model: im.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "file"
    model.save(path)
    stat = os.stat

    def then_swapped(*given: Any, **named: Any) -> os.stat_result:
        found = stat(*given, **named)
        path.unlink()
        request.addfinalizer(partial(os.close, filled_pipe(path)))
        return found

    monkeypatch.setattr(os, "stat", then_swapped)
    with pytest.raises(OSError, match="this is a pipe"):
        im.load(path)


def test_steps_grow_as_the_layers_do(tmp_path: Path) -> None:
    def steps(layers: int) -> int:
        model = im.MLP([1] * (layers + 1), loss="mse", seed=0)
        calls = 0

        def called(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(called)
        try:
            model.save(tmp_path / "file")
            im.load(tmp_path / "file")
        finally:
            sys.setprofile(None)
        return calls

    few, more, most = (steps(layers) for layers in (50, 100, 150))
    assert most - more < 1.05 * (more - few)
