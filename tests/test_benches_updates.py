"""The networks of benches/updates.py: all peers do what their names say, or it is seen."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest

import agreement
import peer_ironmlp
import peer_numpy
from workloads import UPDATES, Workload

# A check of the others takes seconds; updates.py makes it before it times them.
SMALL = [w for w in UPDATES if w.name.startswith("odd")]
# What each has more than the plain network, and what it is without.
LEFT_OUT: dict[str, dict[str, Any]] = {
    "adamw": {"weight_decay": 0.0},
    "clipped": {"clip_norm": None},
    "averaged": {"ema": 0.91},
    "norm": {"norm": False},
}
CHANGED = [w for w in SMALL if "-" in w.name]


def checked(module: Any, workload: Workload, *dtype: str) -> list[float]:
    trainer = module.Trainer(workload, 1, *dtype)
    losses = trainer.train(workload.check_epochs, shuffle=False)
    return agreement.with_average(trainer, losses)


@functools.cache
def reference(workload: Workload) -> list[float]:
    return checked(peer_numpy, workload, "float64")


def ids(workload: Workload) -> str:
    return workload.name


def test_three_networks_have_all_updates() -> None:
    names = [workload.name for workload in UPDATES]
    plain = [name for name in names if "-" not in name]
    assert len(plain) == 3
    assert names == [
        name for first in plain for name in (first, *(f"{first}-{more}" for more in LEFT_OUT))
    ]


@pytest.mark.parametrize("workload", SMALL, ids=ids)
@pytest.mark.parametrize("module", [peer_numpy, peer_ironmlp])
def test_peers_agree(module: Any, workload: Workload) -> None:
    wanted = reference(workload)
    agreement.check_movement(wanted, workload.dtype)
    assert agreement.difference(checked(module, workload), wanted, workload.dtype) < 1.0


@pytest.mark.parametrize("workload", CHANGED, ids=ids)
@pytest.mark.parametrize("module", [peer_numpy, peer_ironmlp])
def test_what_is_left_out_is_seen(module: Any, workload: Workload) -> None:
    wrong = dataclasses.replace(workload, **LEFT_OUT[workload.name.partition("-")[2]])
    with pytest.raises(agreement.DisagreementError, match="relative difference"):
        agreement.difference(checked(module, wrong), reference(workload), workload.dtype)


def test_labels() -> None:
    labels = [workload.label.partition("(")[2] for workload in UPDATES[:5]]
    more = ["clipped", "averaged", "BatchNorm"]
    assert labels == ["200, Adam)", "200, AdamW)", *(f"200, Adam, {name})" for name in more)]
