"""Names of scikit-learn, Keras and PyTorch: the error says what they are called here."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from hostile import X, Y, refused, regressor
from ironmlp import layers, losses, optimizers, schedules
from ironmlp.layers.activations import ACTIVATIONS
from ironmlp.layers.base import INITIALIZERS
from ironmlp.losses import LOSSES, REDUCTIONS
from ironmlp.optimizers import OPTIMIZERS

MODULES = (layers, losses, optimizers, schedules)


def mlp(**settings: Any) -> im.MLP:
    return im.MLP([4, 1], **{"loss": "mse", **settings})


def sequential(**settings: Any) -> im.Sequential:
    return im.Sequential([im.Linear(4, 1)], **{"loss": "mse", **settings})


MODEL = [
    ({"learning_rate": 0.1}, ["no argument 'learning_rate'", "optimizer=im.Adam(lr=1e-3)"]),
    ({"learning_rate_init": 0.1}, ["optimizer=im.Adam(lr=1e-3)"]),
    ({"lr": 0.1}, ["optimizer=im.Adam(lr=1e-3)"]),
    ({"momentum": 0.9}, ["im.SGD(lr=0.01, momentum=0.9)"]),
    ({"alpha": 0.1}, ["optimizer=im.Adam(l2=1e-4)"]),
    ({"random_state": 0}, ["'random_state'", "called 'seed'"]),
    ({"max_iter": 9}, ["model.fit(X, y, epochs=20)"]),
    ({"epochs": 9}, ["model.fit(X, y, epochs=20)"]),
    ({"batch_size": 9}, ["model.fit(X, y, batch_size=32)"]),
    ({"solver": "sgd"}, ["called 'optimizer'"]),
    ({"criterion": "mse"}, ["called 'loss'"]),
    ({"n_jobs": 2}, ["called 'n_threads'"]),
    ({"early_stopping": True}, ["im.EarlyStopping("]),
    ({"sed": 1}, ["did you mean 'seed'?"]),
    ({"wobble": 1}, ["'wobble': it is unknown; it takes ", "optimizer, ", "seed"]),
    ({"random_state": 0, "lr": 1}, ["'random_state'", "'seed'", "no 'lr'", "optimizer="]),
]

CASES: list[tuple[Callable[..., Any], dict[str, Any], list[str]]] = [
    *((make, *case) for make in (mlp, sequential, im.LeNet5) for case in MODEL),
    (im.MLP, {"hidden_layer_sizes": (100,), "loss": "mse"}, ["MLP ", "[inputs, *hidden, outputs]"]),
    (im.MLP, {"layers": [4, 1], "loss": "mse"}, ["[inputs, *hidden, outputs]"]),
    (im.MLP, {"layer_sizes": [4, 1], "loss_fn": "mse"}, ["called 'loss'"]),
    (sequential, {"hidden_layer_sizes": (9,)}, ["im.MLP([inputs, hidden, outputs])"]),
    (im.Linear, {"units": 3}, ["Linear ", "called 'out_features'"]),
    (im.Linear, {"input_dim": 3}, ["called 'in_features'"]),
    (im.Linear, {"use_bias": False}, ["called 'bias'"]),
    (im.Linear, {"kernel_initializer": "zeros"}, ["called 'init'"]),
    (im.Linear, {"activation": "relu"}, ["im.ReLU()"]),
    (im.Conv2d, {"filters": 3, "strides": 2}, ["'out_channels'", "no 'strides'", "'stride'"]),
    (im.MaxPool2d, {"pool_size": 2}, ["MaxPool2d ", "called 'kernel_size'"]),
    (im.Checkpoint, {"filepath": "model"}, ["Checkpoint ", "called 'path'"]),
    (im.Checkpoint, {"path": "a", "save_best_only": True}, ["monitor='val_loss'"]),
    (im.Checkpoint, {"path": "a", "save_freq": 2}, ["called 'every'"]),
    (im.Checkpoint, {"path": "a", "save_weights_only": True}, ["safetensors"]),
    (im.CSVLogger, {"filename": "a", "append": True}, ["called 'path'", "resume=True"]),
    (im.EarlyStopping, {"n_iter_no_change": 3}, ["called 'patience'"]),
    (im.ReduceLROnPlateau, {"min_delta": 0.1}, ["ReduceLROnPlateau ", "called 'threshold'"]),
    (im.Dropout, {"rate": 0.5}, ["Dropout ", "called 'p'"]),
    (im.ReLU, {"inplace": True}, ["ReLU ", "leave it out", "it takes none"]),
    (im.Flatten, {"input_shape": (8, 8)}, ["Flatten ", "X has it"]),
    (im.LeakyReLU, {"alpha": 0.5}, ["called 'negative_slope'"]),
    (im.Adam, {"learning_rate": 0.1}, ["Adam ", "called 'lr'"]),
    (im.Adam, {"beta_1": 0.9}, ["'betas' is the pair"]),
    (im.Adam, {"epsilon": 0.9}, ["called 'eps'"]),
    (im.Adam, {"momentum": 0.9}, ["im.SGD(lr=0.01, momentum=0.9)"]),
    (im.RMSprop, {"rho": 0.9}, ["RMSprop ", "called 'alpha'"]),
    (im.AdamW, {"amsgrad": True}, ["im.Adam(amsgrad=True)"]),
    (im.AdamW, {"eps_hat": True}, ["im.Adam(eps_hat=True)"]),
    (im.Adam, {"lr_in_velocity": True}, ["im.SGD(momentum=0.9, lr_in_velocity=True)"]),
    (im.SGD, {"nesterovs_momentum": True}, ["called 'nesterov'"]),
    (im.Adam, {"centered": True}, ["im.RMSprop(centered=True)"]),
    (im.Adam, {"dampening": 0.1}, ["im.SGD(momentum=0.9, dampening=0.1)"]),
    (im.NAdam, {"decoupled_weight_decay": True}, ["im.AdamW has it"]),
    (im.Adagrad, {"initial_accumulator_value": 0.1}, ["leave it out"]),
    (im.SGD, {"learning_rate": 0.1, "alpha": 1.0}, ["'lr'", "no 'alpha'", "'l2'"]),
    (im.Adam, {"clipnorm": 1.0, "use_ema": True}, ["'clip_norm'", "'ema'"]),
    (im.MLP, {"clip_norm": 1.0}, ["optimizer=im.Adam(clip_norm=1.0)"]),
    (im.Adam, {"scheduler": None}, ["im.Adam(lr=im.CosineAnnealingLR(1e-3, T_max=50))"]),
    (mlp, {"lr_scheduler": None}, ["im.Adam(lr=im.CosineAnnealingLR(1e-3, T_max=50))"]),
    (im.Adam, {"warmup_steps": 9}, ["im.LinearWarmup(schedule, steps)"]),
    (im.CosineAnnealingLR, {"initial_learning_rate": 0.1, "decay_steps": 9}, ["'lr'", "'T_max'"]),
    (im.CosineAnnealingWarmRestarts, {"first_decay_steps": 9, "t_mul": 2}, ["'T_0'", "'T_mult'"]),
    (im.ExponentialLR, {"decay_rate": 0.9}, ["called 'gamma'"]),
    (im.MultiStepLR, {"boundaries": [9]}, ["called 'milestones'"]),
    (im.StepLR, {"learning_rate": 0.1, "last_epoch": -1}, ["'lr'", "the model counts"]),
    (im.OneCycleLR, {"epochs": 9, "steps_per_epoch": 9}, ["'total_steps' is the number of epoch"]),
    (im.OneCycleLR, {"lr": 0.1, "cycle_momentum": False}, ["'max_lr'", "leave it out"]),
    (im.LinearWarmup, {"start_factor": 0.1, "total_iters": 9}, ["'start'", "called 'steps'"]),
    (im.StepLR, {"lr": im.SGD(), "step_size": 9}, ["argument of the optimizer, SGD(lr=StepLR("]),
    (im.CrossEntropy, {"weight": [1, 2]}, ["called 'class_weight'"]),
    (im.CrossEntropy, {"from_logits": True}, ["cross_entropy takes logits always"]),
    (im.MSE, {"size_average": True}, ["MSE ", "called 'reduction'"]),
]


@pytest.mark.parametrize(("make", "settings", "words"), CASES)
def test_constructors(make: Any, settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        make(**settings)
    assert all(word in str(caught.value) for word in words), caught.value
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_epochs": 5}, ["fit has no argument 'n_epochs'", "called 'epochs'"]),
        ({"max_iter": 5}, ["called 'epochs'"]),
        ({"nb_epoch": 5}, ["called 'epochs'"]),
        ({"epoch": 5}, ["called 'epochs'"]),
        ({"batchsize": 5}, ["called 'batch_size'"]),
        ({"sample_weights": Y}, ["called 'sample_weight'"]),
        ({"learning_rate": 0.1}, ["model.learning_rate"]),
        ({"lr": 0.1}, ["model.learning_rate"]),
        ({"patience": 3}, ["im.EarlyStopping("]),
        ({"validation_fraction": 0.1}, ["called 'validation_split'"]),
        ({"bach_size": 5}, ["did you mean 'batch_size'?", "it takes X, y, epochs"]),
    ],
)
def test_fit(settings: dict[str, Any], words: list[str]) -> None:
    model = regressor()
    refused(model, lambda: model.fit(X, Y, **settings), TypeError, *words)


def test_what_belongs_to_validation_has_a_way() -> None:
    from ironmlp._arguments import foreign

    for name in ("validation_data", "validation_split", "validation_freq", "metrics"):
        assert "it belongs to fit" in foreign.keyword(name, [])
    assert "validation_split=0.1" in foreign.keyword("validation_fraction", [])


@pytest.mark.parametrize("name", ["evaluate", "train_on_batch", "loss_and_grad"])
def test_other_methods(name: str) -> None:
    model = regressor()
    with pytest.raises(TypeError, match=rf"^{name} has no argument 'epochs': it belongs to fit"):
        getattr(model, name)(X, Y, epochs=3)


@pytest.mark.parametrize(
    ("argument", "given", "ours"),
    [
        ("loss", "binary_crossentropy", "binary_cross_entropy"),
        ("loss", "bce", "binary_cross_entropy"),
        ("loss", "BCEWithLogitsLoss", "binary_cross_entropy"),
        ("loss", "categorical_crossentropy", "cross_entropy"),
        ("loss", "sparse_categorical_crossentropy", "cross_entropy"),
        ("loss", "log_loss", "cross_entropy"),
        ("loss", "Cross-Entropy", "cross_entropy"),
        ("loss", "mean_squared_error", "mse"),
        ("loss", "squared_error", "mse"),
        ("loss", "MSE", "mse"),
        ("loss", "mse ", "mse"),
        ("loss", "l1", "mae"),
        ("loss", "absolute_error", "mae"),
        ("loss", "smooth_l1", "huber"),
        ("loss", "LogCosh", "log_cosh"),
        ("loss", "PoissonNLLLoss", "poisson_nll"),
        ("loss", "poisson", "poisson_nll"),
        ("loss", "GaussianNLLLoss", "gaussian_nll"),
        ("loss", "sigmoid_focal_loss", "focal"),
        ("loss", "BinaryFocalCrossentropy", "focal"),
        ("optimizer", "Adam", "adam"),
        ("optimizer", "SGD", "sgd"),
        ("activation", "linear", "identity"),
        ("activation", "swish", "silu"),
        ("activation", "LeakyReLU", "leaky_relu"),
        ("init", "xavier_uniform", "glorot_uniform"),
        ("init", "kaiming_normal", "he_normal"),
        ("dtype", "double", "float64"),
    ],
)
def test_strings(argument: str, given: str, ours: str) -> None:
    with pytest.raises(ValueError, match=rf"; {given!r} is called {ours!r} here$"):
        mlp(**{argument: given})


@pytest.mark.parametrize(("argument", "given"), [("loss", "hinge"), ("optimizer", "lbfgs")])
def test_strings_without_a_counterpart(argument: str, given: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} is '{given}', .*'$") as caught:
        mlp(**{argument: given})
    assert "called" not in str(caught.value)


@pytest.mark.parametrize("given", ["quantile", "Pinball loss"])
def test_what_needs_arguments_has_no_string(given: str) -> None:
    with pytest.raises(ValueError, match=rf"; '{given}' needs arguments: im.Quantile\(\["):
        mlp(loss=given)


def test_strings_with_a_slip() -> None:
    with pytest.raises(ValueError, match=r"'softplus'; did you mean 'relu'\?$"):
        mlp(activation="rleu")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: im.Sequential(["relu"], loss="mse"), ["layers[0] is 'relu'", "write im.ReLU()"]),
        (lambda: im.Sequential(["swish"], loss="mse"), ["write im.SiLU()"]),
        (lambda: im.Sequential(["dense"], loss="mse"), ["layers[0] is 'dense'", "no names"]),
        (lambda: im.Sequential([4], loss="mse"), ["layers[0] is 4 (int), it must be a Layer"]),
        (lambda: im.Sequential([im.ReLU], loss="mse"), ["the class ReLU", "ReLU()"]),
        (lambda: im.MLP([im.Linear(4, 1)], loss="mse"), ["layer_sizes", "im.Sequential(["]),
        (lambda: im.LeNet5(784, 10), ["input_shape is 784", "LeNet5((1, 28, 28), 10)"]),
        (lambda: im.LeNet5("28x28"), ["input_shape is '28x28'", "LeNet5((1, 28, 28), 10)"]),
    ],
)
def test_what_stands_in_the_wrong_place(make: Any, words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_image_has_three_sizes() -> None:
    with pytest.raises(ValueError, match=r"3 entries, .*LeNet5\(\(1, 28, 28\), 10\)"):
        im.LeNet5((28, 28), 10)


# The tables and the hook


def test_strings_lead_to_what_exists() -> None:
    from ironmlp._arguments import foreign

    known = {
        "activation": ACTIVATIONS,
        "dtype": ["float32", "float64"],
        "init": INITIALIZERS,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
        "reduction": REDUCTIONS,
    }
    assert known.keys() == foreign.STRINGS.keys()
    for argument, table in foreign.STRINGS.items():
        assert set(table.values()) <= set(known[argument])
        assert not set(table) & set(known[argument])


def test_arguments_lead_to_what_exists() -> None:
    from ironmlp._arguments import foreign

    specs = [getattr(module, n) for module in MODULES for n in module.__all__]
    public = [*specs, im.MLP, im.Sequential, im.Sequential.fit, im.LeNet5]
    public += [im.Checkpoint, im.EarlyStopping, im.ReduceLROnPlateau]
    names = {name for thing in public for name in inspect.signature(thing).parameters}
    assert {ours for listed in foreign.ARGUMENTS.values() for ours in listed} <= names


def test_signatures_stay() -> None:
    assert [*inspect.signature(im.Linear).parameters][:3] == ["in_features", "out_features", "bias"]
    assert [*inspect.signature(im.ReLU).parameters] == []
    assert "optimizer" in inspect.signature(im.MLP).parameters
    for thing in (im.MLP, im.Sequential, im.Sequential.fit, im.Adam):
        kinds = {p.kind for p in inspect.signature(thing).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert im.Sequential.fit.__name__ == "fit"
    assert (im.Sequential.fit.__doc__ or "").startswith("Train")


def test_other_type_errors_are_left_alone() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'loss'"):
        im.MLP([4, 1])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional argument"):
        im.Linear(1, 2, True, 3)  # type: ignore[misc]

    def loss(outputs: Any, targets: Any) -> Any:
        return np.zeros(1, wobble=3)  # type: ignore[call-overload]

    with pytest.raises(TypeError, match="wobble") as caught:
        mlp(loss=loss).fit(X, Y)
    assert "has no argument" not in str(caught.value)


def test_a_subclass_explains_too() -> None:
    class Mine(im.MLP):
        def __init__(self, **settings: Any) -> None:
            super().__init__([4, 1], loss="mse", **settings)

    with pytest.raises(TypeError, match=r"Mine has no argument 'random_state'.* 'seed'"):
        Mine(random_state=0)
