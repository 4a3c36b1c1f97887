"""What an estimator's `_optimizer` is: the learning rate between epochs, as scikit-learn has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ironmlp import _core
from ironmlp.optimizers import SGD, Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, RAdam, RMSprop

# scikit-learn's, then others.
SOLVERS = ("sgd", "adam", "adagrad", "adamw", "lion", "nadam", "radam", "rmsprop")
# Parameters of an estimator that its optimizer goes by, but for alpha.
SETTINGS = (
    "solver",
    "learning_rate_init",
    "beta_1",
    "beta_2",
    "epsilon",
    "momentum",
    "nesterovs_momentum",
    "schedule",
)


class Rate:
    """The learning rate of one estimator's stochastic solver, which survives `partial_fit`.

    `state` is the core's optimizer state where that has to be taken over by another network:
    after unpickling, and in copies.
    """

    def __init__(self, estimator: Any) -> None:
        self.solver: str = estimator.solver
        self.learning_rate_init = float(estimator.learning_rate_init)
        # How the rate follows the epochs; with a schedule of the core's that knows.
        self.way: str = estimator.learning_rate if self.solver == "sgd" else "constant"
        self.is_scheduled = estimator.schedule is not None
        self.power_t: float = estimator.power_t
        self.betas = (float(estimator.beta_1), float(estimator.beta_2))
        self._rate = self.learning_rate_init
        self.steps = 0
        self.state: Any | None = None
        # Settings are those of the first fit, as scikit-learn's optimizers keep theirs.
        self.settings = SimpleNamespace(**{name: getattr(estimator, name) for name in SETTINGS})

    def spec(self, alpha: float) -> Optimizer:
        """The optimizer of the core; alpha is the estimator's, and may change."""
        return spec(self.settings, alpha)

    def with_state(self, state: Any) -> Rate:
        """The same with the core's optimizer state, which a pickle has to hold."""
        copy = Rate.__new__(Rate)
        copy.__dict__ = self.__dict__ | {"state": state}
        return copy

    @property
    def rate(self) -> float:
        """What the core goes by in its next update; "adam" makes its rates of the initial one."""
        of_init = self.solver == "adam" and not self.is_scheduled
        return self.learning_rate_init if of_init else self._rate

    @property
    def learning_rate(self) -> float:
        """That of the last update; of Adam with the corrections of its moments. What is assigned
        holds from the next epoch on, but for Adam, whose `learning_rate_init` may be assigned."""
        if self.solver != "adam" or self.steps == 0:
            return self.rate
        first, second = self.betas
        rate: float = self.rate * (1 - second**self.steps) ** 0.5 / (1 - first**self.steps)
        return rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._rate = float(value)

    def give(self, model: _core.Model) -> None:
        """Let the network's next updates have this rate."""
        if not self.is_scheduled:
            model.rates.set(self.rate)

    def take(self, model: _core.Model) -> None:
        """Take note of the updates that a network has made."""
        self.steps = model.steps
        if self.is_scheduled:
            self._rate = model.rates.last

    def end_epoch(self, samples: int) -> None:
        """After an epoch, when `samples` rows have been trained on in all."""
        if self.way == "invscaling":
            self._rate = self.learning_rate_init / (samples + 1) ** self.power_t

    def stops(self, message: str, verbose: bool) -> bool:
        """Whether training ends where it has not become better; if not, the rate is a fifth."""
        if self.way != "adaptive":
            if verbose:
                print(f"{message} Stopping.")
            return True
        if self._rate <= 1e-6:
            if verbose:
                print(f"{message} Learning rate too small. Stopping.")
            return True
        self._rate /= 5.0
        if verbose:
            print(f"{message} Setting learning rate to {self._rate:f}")
        return False


def spec(settings: Any, alpha: float) -> Optimizer:
    """The optimizer of the core, by an estimator's `SETTINGS`.

    `alpha` is the L2 penalty of the loss; of "adamw" and "lion" it is their weight_decay, for
    weights alone.
    """
    rate, alpha = settings.schedule or float(settings.learning_rate_init), float(alpha)
    betas, eps = (float(settings.beta_1), float(settings.beta_2)), float(settings.epsilon)
    if settings.solver == "adam":
        return Adam(lr=rate, betas=betas, eps=eps, eps_hat=True, l2=alpha)
    if settings.solver == "adamw":
        return AdamW(lr=rate, betas=betas, eps=eps, weight_decay=alpha, decay_bias=False)
    if settings.solver == "lion":
        return Lion(lr=rate, betas=betas, weight_decay=alpha, decay_bias=False)
    if settings.solver == "nadam":
        return NAdam(lr=rate, betas=betas, eps=eps, l2=alpha)
    if settings.solver == "radam":
        return RAdam(lr=rate, betas=betas, eps=eps, l2=alpha)
    momentum = float(settings.momentum)
    if settings.solver == "rmsprop":
        return RMSprop(lr=rate, alpha=betas[1], eps=eps, l2=alpha)
    if settings.solver == "adagrad":
        return Adagrad(lr=rate, eps=eps, l2=alpha)
    nesterov = bool(settings.nesterovs_momentum) and momentum > 0
    return SGD(lr=rate, momentum=momentum, nesterov=nesterov, lr_in_velocity=True, l2=alpha)
