"""Several threads: the workers of the pool, the end of the interpreter, forks."""

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import with_workers

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
several_cores = pytest.mark.skipif(CORES < 2, reason="one core: every op stays on its caller")

# A step of 2.5 ms on one thread: by its cost it gets all of them.
FIT = """
import numpy as np, ironmlp as im
X = np.random.default_rng(0).normal(size=(256, 300)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
def fitted(n_threads, epochs=2):
    model = im.MLP([300, 256, 2], loss="cross_entropy", seed=1, n_threads=n_threads)
    model.fit(X, y, epochs=epochs, batch_size=128)
    return b"".join(value.tobytes() for value in model.state_dict().values())
"""


def run(code: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", FIT + code]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, **settings
    )


@several_cores
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("way", ["n_threads=5", "IRONMLP_NUM_THREADS=5", "set_num_threads(5)"])
def test_the_pool_starts_all_workers_of_the_setting(way: str) -> None:
    code = """
import os, time
from pathlib import Path
def workers():
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
    return sum(name.startswith("ironmlp-") for name in names)
im.MLP([2, 3, 1], loss="mse", n_threads=5).fit([[0.0, 1.0]], [1.0])
assert workers() == 0, "a small network starts none"
"""
    number = "5" if way.startswith("n_threads") else "None"
    if way.startswith("set"):
        code += "im.set_num_threads(5)\n"
    code += f"""
fitted({number})
end = time.monotonic() + 10
while workers() != 4 and time.monotonic() < end:
    time.sleep(0.01)
print(workers(), im.config()["num_threads"])
"""
    environment = {**os.environ, "IRONMLP_NUM_THREADS": "5" if way.startswith("IRON") else ""}
    workers, setting = run(code, env=environment).stdout.split()
    assert workers == "4"
    if number == "None":
        assert setting == "5"


@pytest.mark.parametrize("pause", ["0", "0.02"], ids=["spinning", "parked"])
@pytest.mark.parametrize(
    "end", ["", "sys.exit(0)", "os._exit(0)", "threading.Thread(target=fitted, args=(3,)).start()"]
)
def test_the_interpreter_ends_whatever_the_workers_do(pause: str, end: str) -> None:
    done = run(f"import os, sys, threading, time\nfitted(7); time.sleep({pause})\n{end}")
    assert (done.stdout, done.stderr) == ("", "")


def test_an_interpreter_ends_while_a_daemon_thread_trains() -> None:
    code = """
import threading, time
threading.Thread(target=fitted, args=(3, 10**9), daemon=True).start()
time.sleep(0.1)
"""
    done = run(code)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_trains_on_threads_of_its_own() -> None:
    code = """
import os, signal, warnings
warnings.simplefilter("ignore")
expected = fitted(3)
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if fitted(3) == fitted(1) == expected else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert fitted(3) == expected
print("all equal")
"""
    assert run(code).stdout == "all equal\n"


def test_threads_that_train_at_the_same_time() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 300)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)

    def fitted(seed: int) -> bytes:
        model = im.MLP([300, 128, 2], loss="cross_entropy", seed=seed, n_threads=3)
        model.fit(x, y, epochs=5, batch_size=64)
        return b"".join(value.tobytes() for value in model.state_dict().values())

    expected = [fitted(seed) for seed in range(4)]
    found: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda seed: found.update({seed: fitted(seed)}), args=(seed,))
        for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(4)] == expected


def test_a_thread_caps_what_it_begins() -> None:
    most = im.get_num_threads()
    with im.threads(1):
        assert im.get_num_threads() == 1
        with im.threads(5):
            assert im.get_num_threads() == 1
        elsewhere: list[int] = []
        other = threading.Thread(target=lambda: elsewhere.append(im.get_num_threads()))
        other.start()
        other.join()
        assert elsewhere == [most]
    with pytest.raises(RuntimeError), im.threads(1):
        raise RuntimeError
    with im.threads(most + 7):
        assert im.get_num_threads() == most
    for wrong in (0, -1, 5000):
        with pytest.raises(ValueError, match=f"n is {wrong}, it must be"), im.threads(wrong):
            pass
    assert im.get_num_threads() == most


def test_a_cap_is_for_models_with_a_number_of_their_own_too() -> None:
    X, y = np.ones((256, 300), np.float32), np.zeros(256, np.int64)
    model = im.MLP([300, 128, 2], loss="cross_entropy", seed=0, n_threads=3)
    with with_workers(True):
        model.fit(X, y, epochs=1, batch_size=64)
    with im.threads(1), with_workers(False):
        model.fit(X, y, epochs=1, batch_size=64)
        model.predict(X)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
@pytest.mark.parametrize("rows", [1, 17, 128, 5000])
def test_bits_do_not_depend_on_threads(n_threads: int, rows: int) -> None:
    """Also of the calls that `fit` does not make."""
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, 70)).astype(np.float32)
    y = rng.integers(0, 5, size=rows)

    def results(n_threads: int) -> list[Any]:
        model = im.MLP([70, 90, 5], loss="cross_entropy", seed=1, n_threads=n_threads)
        with with_workers(n_threads > 1):
            losses = [model.train_on_batch(x, y) for _ in range(3)]
        with with_workers(n_threads > 1):
            loss, grads = model.loss_and_grad(x, y)
        with with_workers(n_threads > 1 and rows > 16):
            probabilities = model.predict_proba(x)
        arrays = [*model.state_dict().values(), *grads.values(), probabilities]
        return [losses, loss, *(array.tobytes() for array in arrays)]

    assert results(n_threads) == results(1)


@pytest.mark.parametrize("value", ["0", "1.0", "abc", "-3", ",3", "1000000000"])
def test_a_foreign_variable_that_is_no_number_is_ignored_with_one_warning(value: str) -> None:
    code = """
import ironmlp.functional
print(im.get_num_threads())
fitted(None)
"""
    environment = {**os.environ, "IRONMLP_NUM_THREADS": "", "OMP_NUM_THREADS": value}
    ended = run(code, env=environment)
    assert int(ended.stdout) == CORES
    assert ended.stderr.count("RuntimeWarning") == 1, ended.stderr
    assert f"OMP_NUM_THREADS is '{value}'" in ended.stderr.replace('"', "'")
    assert 'File "<string>"' in ended.stderr or "<string>:2" in ended.stderr
    # Where our own variable says the number, there is nothing to warn of.
    ended = run(code, env={**environment, "IRONMLP_NUM_THREADS": "3"})
    assert (ended.stdout, ended.stderr) == ("3\n", "")


@pytest.mark.parametrize(("value", "number"), [("4,2", 4), (" 3 ", 3), ("7", 7)])
def test_openmps_number_of_the_outermost_region_counts(value: str, number: int) -> None:
    environment = {**os.environ, "IRONMLP_NUM_THREADS": "", "OMP_NUM_THREADS": value}
    ended = run("print(im.get_num_threads())", env=environment)
    assert (ended.stdout, ended.stderr) == (f"{number}\n", "")


@pytest.mark.parametrize("value", ["0", "1.0", "abc", "4,2"])
def test_our_own_variable_must_be_a_number(value: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("", env={**os.environ, "IRONMLP_NUM_THREADS": value})
    assert "ValueError: IRONMLP_NUM_THREADS is" in caught.value.stderr
