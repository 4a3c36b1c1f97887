"""What training changes of a model: its parameters, optimizer state and counters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from numpy.typing import NDArray

from ironmlp import _core
from ironmlp._arguments.values import checked_seed, flag, size
from ironmlp._engine.named import named_arrays
from ironmlp._engine.network import parameter_shapes, running_shapes, state_shapes
from ironmlp._engine.rates import Rated
from ironmlp.layers import Layer
from ironmlp.losses import Loss, LossFunction
from ironmlp.optimizers import Optimizer


class Trained(Rated):
    """The base of the models with their state, all of which the core holds: to see, to copy and to
    take over."""

    def __init__(
        self,
        layers: Iterable[Layer],
        loss: str | Loss | LossFunction,
        optimizer: str | Optimizer | None,
        dtype: Any,
        scale: float | None,
        channels_last: bool,
        standardize: bool,
        standardize_y: bool,
        seed: int | None,
        n_threads: int | None,
    ) -> None:
        super().__init__(
            layers, loss, optimizer, dtype, scale, channels_last, standardize, standardize_y
        )
        self._core = self._make_core(
            int.from_bytes(os.urandom(8), "little") if seed is None else checked_seed(seed),
            None if n_threads is None else size("n_threads", n_threads),
        )
        self._tabulate(1)

    def _make_core(self, seed: int, n_threads: int | None) -> _core.Model:
        loss = self._loss if isinstance(self._loss, Loss) else None
        return _core.Model(
            self._layers,
            loss,
            self._optimizer,
            dtype=self._dtype,
            seed=seed,
            n_threads=n_threads,
            scale=self._scale,
            channels_last=self._channels_last,
            standardize=self._standardize,
            standardize_y=self._standardize_y,
        )

    @property
    def n_threads(self) -> int | None:
        """The argument of this name."""
        return self._core.n_threads

    @property
    def seed(self) -> int:
        """The seed, also if it was drawn."""
        return self._core.seed

    @property
    def epoch(self) -> int:
        """The number of finished epochs, of all calls of `fit`."""
        return self._core.epoch

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of the parameters, weights as (out, in), and of a `BatchNorm1d`'s running values,
        under the keys that the equal `torch.nn.Sequential` has: "0.weight", "0.bias", "2.weight",
        ..."""
        named = dict(zip(self._tensor_names(), self._core.parameters(), strict=True))
        return {key: named[key] for key in state_shapes(self._layers)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Take what `state_dict` gives, from arrays or tensors; the optimizer's state stays, but an
        average of the parameters (`ema`) starts from these.

        ValueError, and an unchanged model, for missing or unexpected keys (unless `strict` is
        False), for another shape, for values that are not finite, for a negative running variance,
        and for a number of batches that is negative or no whole number.
        """
        shapes = state_shapes(self._layers)
        given = named_arrays("state_dict", state_dict, shapes, flag("strict", strict))
        state = {**self.state_dict(), **given}
        self._core.set_parameters([state[name] for name in self._tensor_names()])

    def copy(self) -> Self:
        """An independent model in the same state."""
        return self._with_core(self._core.copy())

    def averaged(self) -> Self:
        """A copy whose parameters are their average over the updates so far, which an optimizer
        with `ema` keeps; ValueError without one.

        The average starts as the initial parameters, or as those of `load_state_dict`, and each
        update moves it by 1 - ema of the way to the new ones. `fit` validates by it.
        """
        if self._optimizer.ema is None:
            raise ValueError(
                f"averaged needs an optimizer with ema, this model has {self._optimizer!r}: "
                f"{type(self._optimizer).__name__}(..., ema=0.999)"
            )
        twin = self.copy()
        average = twin._core.optimizer_state()["average"]
        running = twin._core.parameters()[len(average) :]
        twin._core.set_parameters([*average, *running], False)
        return twin

    def _with_core(self, core: _core.Model) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._core = core
        return twin

    def _named(self, listed: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(parameter_shapes(self._layers), listed, strict=True))

    def _tensor_names(self) -> list[str]:
        """The names of the core's tensors: parameters, then running values."""
        return [*parameter_shapes(self._layers), *running_shapes(self._layers)]

    def _trained(self) -> dict[str, Any]:
        """What training changes, but for the labels: the part that files and pickles share.

        It is taken from a copy, so that no other thread trains between its halves.
        """
        copy = self.copy()
        return {**copy._snapshot(), "standards": copy._core.standards()}

    def _snapshot(self) -> dict[str, Any]:
        """The same while no other thread can train, as in a callback."""
        core = self._core
        return {"parameters": core.parameters(), "optimizer_state": core.optimizer_state()}

    def _set_trained(self, trained: Mapping[str, Any], check_finite: bool = True) -> None:
        """Take over what `_trained` gave: what a file holds is to be finite."""
        self._core.set_parameters(trained["parameters"], check_finite)
        self._core.set_optimizer_state(trained["optimizer_state"], check_finite)
        if "standards" in trained:  # no step changes them, and no snapshot has them
            self._core.set_standards(trained["standards"])

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        core = state.pop("_core")
        made = {"seed": core.seed, "n_threads": core.n_threads}
        return {"attributes": state, "made": made, **self._trained()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state["attributes"])
        self._core = self._make_core(**state["made"])
        kept = dict(state["optimizer_state"])
        if "beta_powers" in kept:  # as in files of format 1
            kept["scalars"] = scalars_of_powers(*kept.pop("beta_powers"))
        self._set_trained(state | {"optimizer_state": kept}, check_finite=False)


def scalars_of_powers(first: float, second: float) -> tuple[float, float, float]:
    """The optimizer's running numbers from those of format 1; the third is not used yet."""
    return first, second, 1.0
