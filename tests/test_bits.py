"""The same bits on every instruction set, with any number of threads, by every route, and the same
as those whose hashes the repository has."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import mxcsr
import networks
from golden import make_hashes
from ironmlp._commands import selfcheck_networks
from networks import (
    CASES,
    NETWORKS,
    build,
    data,
    digest,
    fit,
    forced_threads,
    shares_work,
    trained,
    with_workers,
)

TESTS = Path(__file__).parent

ISAS = ("portable", "avx2", "avx512")

# Rows at the edges of tiles, vectors, blocks of 256 and slabs of 4096.
ROWS = (0, 1, 2, 5, 6, 7, 15, 16, 17, 31, 33, 255, 256, 257, 4095, 4096, 4097)

NAMES_AND_DTYPES = pytest.mark.parametrize(("name", "dtype"), CASES)


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    """Every call here runs on three threads, whatever the host has, and is compared with one."""
    usual = im.get_num_threads()
    im.set_num_threads(3)
    with forced_threads():
        yield
    im.set_num_threads(usual)


@functools.cache
def expected(name: str, dtype: str) -> str:
    return trained(name, dtype, n_threads=1)


def output_of(script: str, **environment: str) -> Any:
    """What a script beside this file prints, as JSON."""
    command = [sys.executable, str(TESTS / script)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def needs_two_isas() -> None:
    """Skip where instruction sets cannot be compared."""
    isas = im.config()["isas"]
    if len(isas) < 2:
        pytest.skip(f"this host runs {isas[0]} alone: equal bits are not shown")


def test_the_known_instruction_sets_are_all() -> None:
    assert set(im.config()["isas"]) <= set(ISAS)
    assert im.config()["isa"] in im.config()["isas"]


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_gives_the_same_bits(isa: str) -> None:
    needs_two_isas()
    if isa not in im.config()["isas"]:
        pytest.skip(f"this host has no {isa}")
    ours = {f"{name}, {dtype}": expected(name, dtype) for name, dtype in CASES}
    assert output_of("networks.py", IRONMLP_ISA=isa) == ours


def test_the_repository_has_these_hashes() -> None:
    kept = json.loads(make_hashes.PATH.read_text("utf-8"))
    assert kept["numerics"] == im.config()["numerics"]
    ours = selfcheck_networks.NETWORKS
    assert kept["hashes"] == {
        f"{name}, {dtype}": expected(name, dtype) for name, dtype in CASES if name in ours
    }


@pytest.mark.parametrize("n_threads", make_hashes.THREADS)
def test_every_number_of_threads_gives_the_same_bits(n_threads: int) -> None:
    for name, dtype in CASES:
        alone = expected(name, dtype)
        with with_workers(n_threads > 1 and shares_work(name)):
            found = trained(name, dtype, n_threads=n_threads)
        assert found == alone, name


@pytest.mark.parametrize("route", make_hashes.ROUTES)
def test_every_route_gives_the_same_bits(route: str) -> None:
    for name, dtype in CASES:
        alone = expected(name, dtype)
        assert trained(name, dtype, n_threads=1, route=route) == alone, name
        with with_workers(shares_work(name, route)):
            found = trained(name, dtype, n_threads=3, route=route)
        assert found == alone, name


@NAMES_AND_DTYPES
def test_a_row_does_not_depend_on_its_batch(name: str, dtype: str) -> None:
    model = build(name, dtype)
    X = data(name, dtype).X
    together, predictor = model(X), model.predictor()
    for row in {min(row, len(X) - 1) for row in ROWS}:
        alone = model(X[row : row + 1])[0]
        np.testing.assert_array_equal(alone, together[row])
        np.testing.assert_array_equal(predictor(X[row]), together[row])
    part = slice(len(X) // 3, None)
    np.testing.assert_array_equal(model(X[part]), together[part])


@NAMES_AND_DTYPES
def test_fit_continues(name: str, dtype: str) -> None:
    once, twice = build(name, dtype), build(name, dtype)
    first, second = fit(name, twice, epochs=1), fit(name, twice, epochs=2)
    losses = fit(name, once, epochs=3)
    assert once.epoch == twice.epoch == 3
    assert digest(np.append(first, second), twice.state_dict()) == digest(losses, once.state_dict())


def test_four_and_six_epochs_are_ten() -> None:
    once, twice = build("odd", "float32"), build("odd", "float32")
    losses = [fit("odd", twice, epochs=epochs) for epochs in (4, 6)]
    assert digest(np.concatenate(losses), twice.state_dict()) == digest(
        fit("odd", once, epochs=10), once.state_dict()
    )


def batches(name: str, dtype: str) -> list[dict[str, Any]]:
    """The batches of an epoch without shuffling."""
    n, size = NETWORKS[name].rows, NETWORKS[name].batch_size
    X, y, weight = data(name, dtype)
    rows = [slice(start, start + (size or n)) for start in range(0, n, size or n)]
    return [
        {"X": X[r], "y": y[r], "sample_weight": None if weight is None else weight[r]}
        for r in rows[:3]
    ]


@NAMES_AND_DTYPES
def test_a_step_is_its_gradients_and_their_application(name: str, dtype: str) -> None:
    at_once, in_two = build(name, dtype), build(name, dtype)
    for batch in batches(name, dtype):
        loss = at_once.train_on_batch(**batch)
        same_loss, grads = in_two.loss_and_grad(**batch, training=True)
        in_two.apply_gradients(grads)
        # A step's loss is without the penalty on weights.
        penalized = at_once.optimizer.l1 or at_once.optimizer.l2
        assert same_loss > loss if penalized else same_loss == loss
        assert digest(0.0, at_once.state_dict()) == digest(0.0, in_two.state_dict())


@NAMES_AND_DTYPES
def test_an_epoch_is_its_steps(name: str, dtype: str) -> None:
    by_fit, by_steps = build(name, dtype), build(name, dtype)
    given = batches(name, dtype)
    rows = sum(len(batch["X"]) for batch in given)
    X, y, weight = data(name, dtype)
    by_fit.fit(
        X[:rows],
        y[:rows],
        sample_weight=None if weight is None else weight[:rows],
        batch_size=NETWORKS[name].batch_size,
        shuffle=False,
        verbose=False,
    )
    for batch in given:
        by_steps.train_on_batch(**batch)
    assert digest(np.zeros(0), by_fit.state_dict()) == digest(np.zeros(0), by_steps.state_dict())


@pytest.mark.parametrize("dtype", networks.DTYPES)
@pytest.mark.parametrize("name", ["tiny", "cancer", "slabs"])
def test_the_memory_layout_does_not_matter(name: str, dtype: str) -> None:
    X, y, weight = data(name, dtype)
    n, columns = X.shape
    spread = np.zeros((2 * n, 3 * columns))
    spread[::2, ::3] = X
    unaligned = np.frombuffer(b"\0" + X.astype("f4").tobytes(), np.uint8)[1:].view("f4")
    layouts = {
        "columns first": np.asfortranarray(X),
        "strided": spread[::2, ::3],
        "backwards": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "unaligned float32": unaligned.reshape(n, columns),
        "big-endian": X.astype(">f8"),
    }
    for layout, same in layouts.items():
        model = build(name, dtype)
        history = model.fit(
            same, y, sample_weight=weight, epochs=NETWORKS[name].epochs,
            batch_size=NETWORKS[name].batch_size, verbose=False,
        )  # fmt: skip
        assert digest(history["loss"], model.state_dict()) == expected(name, dtype), layout


def test_a_caller_that_flushes_subnormals_gets_the_same_bits() -> None:
    if not mxcsr.supported():
        pytest.skip("the caller's MXCSR register: needs x86-64 with System V calls")
    found = output_of("mxcsr.py")
    assert all(register["caller flushes"] for register in found["registers"])
    assert all(register["kept"] for register in found["registers"])
    assert found["hashes"] == {f"{name}, {dtype}": expected(name, dtype) for name, dtype in CASES}


@pytest.mark.parametrize("dtype", networks.DTYPES)
def test_flushing_subnormals_would_show(dtype: str) -> None:
    model, flushed = build("subnormal", dtype), build("subnormal", dtype)
    X, y, _ = data("subnormal", dtype)
    assert 0.0 < np.abs(X[X != 0.0]).max() < np.finfo(dtype).smallest_normal
    losses = model.train_on_batch(X, y), flushed.train_on_batch(np.zeros_like(X), y)
    assert losses[0] != losses[1]


@pytest.mark.parametrize("dtype", networks.DTYPES)
def test_one_unit_in_the_last_place_changes_a_hash(dtype: str) -> None:
    model = build("odd", dtype)
    losses, state = fit("odd", model), model.state_dict()
    plain = digest(losses, state)
    assert plain == expected("odd", dtype)
    for key in state:
        changed = {**state, key: state[key].copy()}
        last = changed[key].reshape(-1)[-1:]
        last[:] = np.nextafter(last, np.inf, dtype=dtype)
        assert digest(losses, changed) != plain
    assert digest(np.append(losses[:-1], np.nextafter(losses[-1], np.inf)), state) != plain


def test_hashes_tell_networks_and_seeds_apart() -> None:
    found = {expected(name, dtype) for name, dtype in CASES}
    assert len(found) == len(CASES)
    model = build("tiny", "float32")
    model.reset(NETWORKS["tiny"].seed + 1)
    assert digest(fit("tiny", model), model.state_dict()) not in found
