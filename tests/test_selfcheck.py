"""`python -m ironmlp selfcheck`, the hashes it compares with, and the program that makes them."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from golden import make_hashes
from gradients import ALL_LOSSES
from ironmlp._commands import selfcheck
from ironmlp._commands.selfcheck_networks import CASES, NETWORKS, Network
from ironmlp.layers.activations import ACTIVATIONS
from ironmlp.layers.base import INITIALIZERS
from ironmlp.losses import REDUCTIONS
from ironmlp.optimizers import OPTIMIZERS
from ironmlp.optimizers.options import DEFAULTS

CONTRACT = Path(__file__).parents[1] / "docs" / "numerics.md"

KEPT = json.loads(make_hashes.PATH.read_text("utf-8"))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "ironmlp", "selfcheck", *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes other hashes than the package's, which the check then reads."""

    def write(**changed: Any) -> None:
        path = tmp_path / "hashes.json"
        path.write_text(json.dumps(KEPT | changed), "utf-8")
        monkeypatch.setattr(selfcheck, "HASHES", path)

    return write


def marked(text: str, verdict: str) -> list[str]:
    """The lines of the output that begin with a verdict."""
    return [line for line in text.splitlines() if line.startswith(verdict)]


def test_the_installed_package_passes() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    config = im.config()
    title = done.stdout.splitlines()[0]
    for words in (config["version"], f"numerics {config['numerics']}", config["isa"], "threads 1"):
        assert words in title
    with_hash = [
        line.rsplit(maxsplit=1) for line in marked(done.stdout, "ok") if line[-65:-64] == " "
    ]
    assert [value for _, value in with_hash] == list(KEPT["hashes"].values())
    assert [start.removeprefix("ok").strip() for start, _ in with_hash] == list(CASES)


@pytest.mark.parametrize("isa", im.config()["isas"])
def test_json_has_the_hashes_of_the_repository(isa: str) -> None:
    done = run("--json", "--threads", "3,1", IRONMLP_ISA=isa)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["hashes"] == KEPT["hashes"]
    assert (found["isa"], found["threads"]) == (isa, [3, 1])
    assert (found["ok"], found["different"]) == (True, [])
    assert max(found["gradients"].values()) <= selfcheck.GRADIENT_EPS


@pytest.mark.parametrize("threads", ["", "0", "1,-1", "two", "1.5"])
def test_threads_that_are_no_numbers(threads: str) -> None:
    done = run("--threads", threads)
    assert done.returncode == 2
    assert "--threads" in done.stderr


def test_an_altered_hash_is_found(kept: Any, capsys: pytest.CaptureFixture[str]) -> None:
    name = "odd, float64"
    kept(hashes=KEPT["hashes"] | {name: KEPT["hashes"]["odd, float32"]})
    assert selfcheck.run_selfcheck([1, 2]) == 1
    out = capsys.readouterr().out
    assert len(marked(out, "DIFFERENT")) == 2  # one for each number of threads
    assert all(name in line for line in marked(out, "DIFFERENT"))
    assert out.endswith(f"NOT as it must be: {name}, threads 1; {name}, threads 2\n")


def test_a_network_without_a_hash_is_found(kept: Any, capsys: pytest.CaptureFixture[str]) -> None:
    kept(hashes={name: value for name, value in KEPT["hashes"].items() if "deep" not in name})
    assert selfcheck.run_selfcheck([1]) == 1
    assert len(marked(capsys.readouterr().out, "UNKNOWN")) == 2


def test_hashes_of_other_numerics_do_not_apply(
    kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(numerics=KEPT["numerics"] + 1)
    assert selfcheck.run_selfcheck([1]) == 1
    out = capsys.readouterr().out
    assert f"hashes are of numerics {KEPT['numerics'] + 1}: they do not apply" in out
    assert out.endswith("NOT as it must be: the numerics\n")
    assert selfcheck.run_selfcheck([1], as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_an_altered_parameter_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One unit in the last place of one parameter, with two threads only."""
    plain = Network.build

    def build(network: Network, dtype: Any, *, n_threads: Any = None, **choices: Any) -> Any:
        model = plain(network, dtype, n_threads=n_threads, **choices)
        if network is NETWORKS["digits"] and n_threads == 2:
            state = model.state_dict()
            state["2.bias"][3] = np.nextafter(state["2.bias"][3], np.inf, dtype=dtype)
            model.load_state_dict(state)
        return model

    monkeypatch.setattr(Network, "build", build)
    assert selfcheck.run_selfcheck([1, 2]) == 1
    found = marked(capsys.readouterr().out, "DIFFERENT")
    assert [line.split()[1] for line in found] == ["digits,", "digits,"]
    assert all("(2 threads)" in line for line in found)


@pytest.mark.parametrize("wrong", [1.01, np.nan])
def test_an_altered_gradient_is_found(
    wrong: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The largest component of one tensor."""
    plain = im.Sequential.loss_and_grad

    def loss_and_grad(model: Any, X: Any, y: Any, **options: Any) -> Any:
        loss, grads, input_grad = plain(model, X, y, **options)
        if "13.weight" in grads:
            values = grads["13.weight"].reshape(-1)
            values[np.abs(values).argmax()] *= wrong
        return loss, grads, input_grad

    monkeypatch.setattr(im.Sequential, "loss_and_grad", loss_and_grad)
    assert selfcheck.run_selfcheck([1]) == 1
    found = marked(capsys.readouterr().out, "DIFFERENT")
    assert [line.split()[1] for line in found] == ["deep,", "deep,"]


def test_a_gradient_that_must_be_zero_is_held_to_it() -> None:
    nothing = {"loss": 1.0, "0.weight": np.zeros(3)}
    assert selfcheck.max_difference(nothing, nothing, 2.0**-52) == 0.0
    some = nothing | {"0.weight": np.full(3, 1e-300)}
    assert selfcheck.max_difference(some, nothing, 2.0**-52) == np.inf


def test_the_networks_have_every_member_and_option() -> None:
    specs = [spec for n in NETWORKS.values() for spec in (*n.layers, n.loss, n.optimizer)]
    # Those of a Residual are appended, and looked through in their turn.
    for spec in specs:
        specs += spec.layers if isinstance(spec, im.Residual) else ()
    members = {*ACTIVATIONS.values(), im.Linear, im.Dropout, *ALL_LOSSES, *OPTIMIZERS.values()}
    assert members <= {type(spec) for spec in specs}
    for kind in members:
        for name, option in inspect.signature(kind).parameters.items():
            values = {getattr(spec, name) for spec in specs if type(spec) is kind}
            # What reduces a loss and what all optimizers take is common to all of them.
            assert name in ("reduction", *DEFAULTS) or values - {option.default}, (
                f"{kind.__name__}({name})"
            )
    optimizers = [n.optimizer for n in NETWORKS.values()]
    for name, default in DEFAULTS.items():
        assert {getattr(optimizer, name) for optimizer in optimizers} - {default}, name
    assert {n.loss.reduction for n in NETWORKS.values()} == {*REDUCTIONS, "rows"}
    linear = [spec for spec in specs if isinstance(spec, im.Linear)]
    assert {layer.init or "torch_linear" for layer in linear} == {*INITIALIZERS}
    assert {n.weighted for n in NETWORKS.values()} == {n.soft for n in NETWORKS.values()}


def test_the_contract_promises_what_was_compared() -> None:
    text = CONTRACT.read_text("utf-8")
    assert KEPT["compared"]["x86_64"]
    assert ('"every x86-64 machine"' in text) == ("aarch64" not in KEPT["compared"])
    emulated = "aarch64 (emulated)" in KEPT["compared"]
    readme = (CONTRACT.parents[1] / "README.md").read_text("utf-8")
    for promise in (text, readme):
        assert ("aarch64 under emulation" in " ".join(promise.split())) == emulated
    assert ("not yet with AVX-512" in text) == ("avx512" not in KEPT["compared"]["x86_64"])


def test_hashes_that_differ_by_a_way_are_refused() -> None:
    ways = {"avx2, auto": {"a": "1", "b": "2"}, "avx2, general": {"a": "1", "b": "2"}}
    assert make_hashes.agreed(ways) == {"a": "1", "b": "2"}
    with pytest.raises(ValueError, match="b: 3 by portable, auto, 2 by avx2, auto"):
        make_hashes.agreed({**ways, "portable, auto": {"a": "1", "b": "3"}})


def test_a_hash_changes_only_with_the_numerics() -> None:
    before = {"numerics": 1, "compared": {"x86_64": ["avx512"]}, "hashes": {"a": "1"}}
    config = {"numerics": 1, "isas": ["portable", "avx2"]}
    with pytest.raises(ValueError, match="other bits under numerics 1: a"):
        make_hashes.renewed(before, {"a": "2"}, config)
    raised = make_hashes.renewed(before, {"a": "2"}, config | {"numerics": 2})
    assert (raised["numerics"], raised["hashes"]) == (2, {"a": "2"})


def test_what_was_compared_is_kept_while_the_hashes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"numerics": 1, "compared": {"x86_64": ["avx512"]}, "hashes": {"a": "1"}}
    config = {"numerics": 1, "isas": ["portable"]}
    monkeypatch.setattr(make_hashes.platform, "machine", lambda: "AMD64")
    same = make_hashes.renewed(before, {"a": "1"}, config)
    assert same["compared"] == {"x86_64": ["avx512", "portable"]}
    more = make_hashes.renewed(before, {"a": "1", "b": "2"}, config)
    assert more["compared"] == {"x86_64": ["portable"]}
    monkeypatch.setattr(make_hashes.platform, "machine", lambda: "arm64")
    other = make_hashes.renewed(before, {"a": "1"}, config)
    assert other["compared"] == {"x86_64": ["avx512"], "aarch64": ["portable"]}


def test_a_machine_is_noted_if_its_hashes_are_these() -> None:
    before = {"numerics": 1, "compared": {"x86_64": ["avx2"]}, "hashes": {"a": "1"}}
    seen = {"ok": True, "different": [], "numerics": 1, "hashes": {"a": "1"}, "isa": "portable"}
    after = make_hashes.noted(before, {**seen, "machine": "arm64"}, emulated=True)
    assert after == {
        **before,
        "compared": {"x86_64": ["avx2"], "aarch64 (emulated)": ["portable"]},
    }
    for wrong in ({"hashes": {"a": "2"}}, {"numerics": 2}, {"ok": False}, {"hashes": {}}):
        with pytest.raises(ValueError, match="other bits"):
            make_hashes.noted(before, {**seen, "machine": "arm64", **wrong}, emulated=True)
