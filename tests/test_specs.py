"""Layers, losses and optimizers as values: what they accept, refuse, and how they compare."""

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import layers, losses, optimizers
from ironmlp._arguments.spec import Spec
from ironmlp.layers import (
    ELU,
    GELU,
    SELU,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Hardswish,
    Identity,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Mish,
    PReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.layers.activations import ACTIVATIONS, resolve_activation
from ironmlp.losses import (
    LOSSES,
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    GaussianNLL,
    Huber,
    LogCosh,
    PoissonNLL,
    Quantile,
    resolve_loss,
)
from ironmlp.optimizers import (
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    resolve_optimizer,
)

NAN, INF = float("nan"), float("inf")

# Every class with arguments other than its defaults, as they are stored.
FULL: dict[type[Spec], dict[str, Any]] = {
    Linear: {
        "in_features": 2,
        "out_features": 3,
        "bias": False,
        "init": "he_normal",
        "trainable": False,
        "lr_scale": 0.5,
    },
    Conv2d: {
        "in_channels": 2,
        "out_channels": 4,
        "kernel_size": (3, 2),
        "stride": (2, 1),
        "padding": (1, 0),
        "dilation": (1, 3),
        "groups": 2,
        "bias": False,
        "init": "he_normal",
        "trainable": False,
        "lr_scale": 0.5,
    },
    AvgPool2d: {"kernel_size": (3, 2), "stride": (2, 1)},
    MaxPool2d: {"kernel_size": (3, 2), "stride": (2, 1)},
    Flatten: {},
    Dropout: {"p": 0.25},
    BatchNorm1d: {
        "n": 3,
        "eps": 0.25,
        "momentum": 0.5,
        "affine": False,
        "trainable": False,
        "lr_scale": 0.5,
    },
    BatchNorm2d: {
        "n": 3,
        "eps": 0.25,
        "momentum": 0.5,
        "affine": False,
        "trainable": False,
        "lr_scale": 0.5,
    },
    LayerNorm: {"n": 3, "eps": 0.25, "affine": False, "trainable": False, "lr_scale": 0.5},
    Residual: {"layers": (Linear(2, 3), ReLU(), Linear(3, 2))},
    Identity: {},
    Sigmoid: {},
    Tanh: {},
    ReLU: {},
    LeakyReLU: {"negative_slope": 0.2},
    ELU: {"alpha": 0.5},
    GELU: {"approximate": "tanh"},
    SiLU: {},
    Mish: {},
    SELU: {},
    PReLU: {"num_parameters": 3, "init": 0.75, "trainable": False, "lr_scale": 0.5},
    Hardswish: {},
    Softplus: {"beta": 2.0, "threshold": 10.0},
    BinaryCrossEntropy: {"from_logits": True, "pos_weight": (1.0, 2.0), "reduction": "sum"},
    CrossEntropy: {
        "class_weight": (1.0, 2.0),
        "label_smoothing": 0.1,
        "ignore_index": -100,
        "reduction": "sum",
    },
    MSE: {"reduction": "sum"},
    MAE: {"reduction": "sum"},
    Huber: {"delta": 0.5, "reduction": "sum"},
    LogCosh: {"reduction": "sum"},
    Quantile: {"quantiles": (0.75, 0.25), "reduction": "sum"},
    PoissonNLL: {"log_input": False, "full": True, "eps": 0.25, "reduction": "sum"},
    GaussianNLL: {"reduction": "sum"},
    Focal: {"gamma": 0.5, "alpha": 0.25, "reduction": "sum"},
    SGD: {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True, "dampening": 0.0}
    | {"lr_in_velocity": False},
    Adam: {
        "lr": 0.1,
        "betas": (0.8, 0.9),
        "eps": 1e-4,
        "weight_decay": 0.01,
        "amsgrad": True,
        "eps_hat": True,
    },
    AdamW: {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.0},
    NAdam: {
        "lr": 0.1,
        "betas": (0.8, 0.9),
        "eps": 1e-4,
        "weight_decay": 0.1,
        "momentum_decay": 0.5,
    },
    RAdam: {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1},
    RMSprop: {
        "lr": 0.1,
        "alpha": 0.5,
        "eps": 1e-4,
        "weight_decay": 0.1,
        "momentum": 0.9,
        "centered": True,
    },
    Adagrad: {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.1, "eps": 1e-4},
    Lion: {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.5},
}

DEFAULTS = [
    (
        Linear(2, 3),
        "in_features=2, out_features=3, bias=True, init=None, trainable=True, lr_scale=1.0",
    ),
    (
        Conv2d(1, 6, 5),
        "in_channels=1, out_channels=6, kernel_size=(5, 5), stride=(1, 1), padding=(0, 0), "
        "dilation=(1, 1), groups=1, bias=True, init=None, trainable=True, lr_scale=1.0",
    ),
    (AvgPool2d(2), "kernel_size=(2, 2), stride=(2, 2)"),
    (MaxPool2d((2, 3)), "kernel_size=(2, 3), stride=(2, 3)"),
    (Flatten(), ""),
    (Dropout(), "p=0.5"),
    (LayerNorm(3), "n=3, eps=1e-05, affine=True, trainable=True, lr_scale=1.0"),
    *(
        (norm, "n=3, eps=1e-05, momentum=0.1, affine=True, trainable=True, lr_scale=1.0")
        for norm in (BatchNorm1d(3), BatchNorm2d(3))
    ),
    (Residual([ReLU()]), "layers=(ReLU(),)"),
    (LeakyReLU(), "negative_slope=0.01"),
    (ELU(), "alpha=1.0"),
    (PReLU(), "num_parameters=1, init=0.25, trainable=True, lr_scale=1.0"),
    (GELU(), "approximate='none'"),
    (Softplus(), "beta=1.0, threshold=20.0"),
    (BinaryCrossEntropy(), "from_logits=True, pos_weight=None, reduction='mean'"),
    (
        CrossEntropy(),
        "class_weight=None, label_smoothing=0.0, ignore_index=None, reduction='mean'",
    ),
    (MSE(), "reduction='mean'"),
    (MAE(), "reduction='mean'"),
    (Huber(), "delta=1.0, reduction='mean'"),
    (LogCosh(), "reduction='mean'"),
    (Quantile([0.5]), "quantiles=(0.5,), reduction='mean'"),
    (PoissonNLL(), "log_input=True, full=False, eps=1e-08, reduction='mean'"),
    (GaussianNLL(), "reduction='mean'"),
    (Focal(), "gamma=2.0, alpha=None, reduction='mean'"),
    (SGD(), "lr=0.001, momentum=0.0, weight_decay=0.0, nesterov=False"),
    (Adam(), "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0"),
    (AdamW(), "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01"),
    (NAdam(), "lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, momentum_decay=0.004"),
    (RAdam(), "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0"),
    (
        RMSprop(),
        "lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.0, centered=False",
    ),
    (Adagrad(), "lr=0.01, lr_decay=0.0, weight_decay=0.0, eps=1e-10"),
    (Lion(), "lr=0.0001, betas=(0.9, 0.99), weight_decay=0.0"),
]


def test_every_public_class_is_tested() -> None:
    public = {*layers.__all__, *losses.__all__, *optimizers.__all__}
    assert public == {made.__name__ for made in FULL} | {"Layer", "Loss", "Optimizer"}


@pytest.mark.parametrize(
    ("module", "base"), [(layers, im.Layer), (losses, im.Loss), (optimizers, im.Optimizer)]
)
def test_the_bases_are_public(module: Any, base: type[Spec]) -> None:
    kinds = [getattr(module, name) for name in module.__all__]
    assert base in kinds
    assert all(issubclass(kind, base) for kind in kinds)
    # Pickles say so.
    assert {kind.__module__ for kind in kinds} == {module.__name__}


@pytest.mark.parametrize("what", ["layer", "loss", "optimizer"])
def test_a_base_is_no_member(what: str) -> None:
    arguments: dict[str, Any] = {"layers": [im.Linear(2, 1)], "loss": "mse", "optimizer": "sgd"}
    arguments |= {
        "layer": {"layers": [im.Linear(2, 1), im.Layer()]},
        "loss": {"loss": im.Loss()},
        "optimizer": {"optimizer": im.Optimizer()},
    }[what]
    with pytest.raises(TypeError, match=f"is no {what}"):
        im.Sequential(**arguments)


@pytest.mark.parametrize(("made", "arguments"), DEFAULTS, ids=lambda x: type(x).__name__)
def test_defaults(made: Spec, arguments: str) -> None:
    assert repr(made) == f"{type(made).__name__}({arguments})"


@pytest.mark.parametrize("made", FULL)
def test_value(made: type[Spec]) -> None:
    value, twin = made(**FULL[made]), made(**FULL[made])
    assert {name: getattr(value, name) for name in made.__slots__} == FULL[made]
    assert value == twin
    assert hash(value) == hash(twin)
    assert eval(repr(value), dict(vars(im))) == value
    others = [other(**FULL[other]) for other in FULL if other is not made]
    assert value not in others


@pytest.mark.parametrize("made", [made for made in FULL if made.__slots__])
def test_one_other_argument_is_another_value(made: type[Spec]) -> None:
    changes: dict[str, Any] = {
        "in_features": 7,
        "out_features": 7,
        "n": 7,
        "num_parameters": 7,
        "quantiles": (0.5,),
        "log_input": True,
        "full": False,
        "layers": (ReLU(),),
        "affine": True,
        "in_channels": 6,
        "out_channels": 6,
        "kernel_size": 4,
        "stride": 3,
        "padding": 2,
        "dilation": 2,
        "groups": 1,
        "bias": True,
        "trainable": True,
        "init": None,
        "approximate": "none",
        "pos_weight": 3.0,
        "class_weight": (3.0, 2.0),
        "ignore_index": 4,
        "reduction": "mean",
        "nesterov": False,
        "amsgrad": False,
        "eps_hat": False,
        "lr_in_velocity": True,
        "centered": False,
        "betas": (0.8, 0.95),
    }
    for name in made.__slots__:
        full = FULL[made] | ({"nesterov": False} if name == "dampening" else {})
        value, arguments = made(**full), {**full, name: changes.get(name, 0.125)}
        if name == "eps" or (made is PReLU and name == "init"):
            arguments[name] = 0.5
        if name == "from_logits":
            arguments |= {"from_logits": False, "pos_weight": None}
        assert made(**arguments) != value


@pytest.mark.parametrize("made", FULL)
def test_copies(made: type[Spec]) -> None:
    value = made(**FULL[made])
    copies = [copy.copy(value), copy.deepcopy(value)]
    copies += [pickle.loads(pickle.dumps(value, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in copies:
        assert type(twin) is made
        assert twin == value


@pytest.mark.parametrize("made", FULL)
def test_frozen(made: type[Spec]) -> None:
    value = made(**FULL[made])
    for name in (*made.__slots__, "other"):
        with pytest.raises(AttributeError, match=f"{made.__name__} is frozen"):
            setattr(value, name, 1)
        with pytest.raises(AttributeError, match=f"{made.__name__} is frozen"):
            delattr(value, name)
    assert value == made(**FULL[made])


def test_numpy_scalars_become_pythons() -> None:
    # NumPy's scalars are no ints and floats to a type checker.
    two: Any = np.int32(2)
    three: Any = np.uint64(3)
    half: Any = np.float32(0.5)
    false: Any = np.bool_(False)
    linear = Linear(two, three, false, lr_scale=half)
    assert linear == Linear(2, 3, False, lr_scale=0.5)
    for name, kind in (("in_features", int), ("bias", bool), ("lr_scale", float)):
        assert type(getattr(linear, name)) is kind
    assert SGD(np.float64(0.5), 1) == SGD(0.5, 1.0)
    weight = np.array([1, 2], np.float32)
    assert CrossEntropy(class_weight=weight).class_weight == (1.0, 2.0)
    assert BinaryCrossEntropy(pos_weight=weight).pos_weight == (1.0, 2.0)
    assert BinaryCrossEntropy(pos_weight=half).pos_weight == 0.5
    assert CrossEntropy(ignore_index=two).ignore_index == 2


def test_sizes_up_to_63_bits() -> None:
    # Whether that much memory exists is for the model to find out.
    assert Linear(2**40, 2**63 - 1).out_features == 2**63 - 1


LIMITS: list[tuple[type[Spec], dict[str, Any], str]] = [
    *((Linear, {"in_features": n}, f"in_features is {n}, it must be") for n in (0, -1, 2**63)),
    (Linear, {"out_features": 2**200}, "it must be at least 1 and below 2**63"),
    (Linear, {"lr_scale": -0.5}, "lr_scale is -0.5, it must be finite and at least 0"),
    (Linear, {"init": "xavier"}, "init is 'xavier', it must be one of 'torch_linear', 'glorot_"),
    *((Dropout, {"p": p}, f"p is {p}, it must be finite and at least 0") for p in (-0.1, 1, NAN)),
    (Dropout, {"p": 1 - 2.0**-18}, "at most 0.999984741211"),
    (LayerNorm, {"n": 0}, "n is 0, it must be at least 1"),
    *((LayerNorm, {"n": 2, "eps": eps}, f"eps is {eps}, it must be") for eps in (-1e-9, NAN)),
    (LayerNorm, {"n": 2, "lr_scale": -1}, "lr_scale is -1, it must be finite and at least 0"),
    *((norm, {"n": 0}, "n is 0, it must be at least 1") for norm in (BatchNorm1d, BatchNorm2d)),
    *((BatchNorm1d, {"n": 2, "eps": eps}, f"eps is {eps}, it must be") for eps in (-1e-9, NAN)),
    *(
        (BatchNorm1d, {"n": 2, "momentum": m}, f"momentum is {m}, it must")
        for m in (-0.1, 1.5, NAN)
    ),
    (BatchNorm1d, {"n": 2, "lr_scale": -1}, "lr_scale is -1, it must be finite and at least 0"),
    (Residual, {"layers": ()}, "layers has 0 layers, a Residual needs at least one"),
    (LeakyReLU, {"negative_slope": -0.1}, "negative_slope is -0.1"),
    (PReLU, {"num_parameters": 0}, "num_parameters is 0, it must be at least 1"),
    *((PReLU, {"init": x}, f"init is {x}, it must be finite") for x in (NAN, -INF)),
    (PReLU, {"lr_scale": -1}, "lr_scale is -1, it must be finite and at least 0"),
    (ELU, {"alpha": INF}, "alpha is inf, it must be finite"),
    (GELU, {"approximate": "sigmoid"}, "it must be one of 'none', 'tanh'"),
    (Softplus, {"beta": 0.0}, "beta is 0.0, it must be finite and above 0"),
    (Softplus, {"threshold": -1}, "threshold is -1"),
    (MSE, {"reduction": "none"}, "reduction is 'none', it must be one of 'mean', 'sum'"),
    (MAE, {"reduction": "avg"}, "reduction is 'avg', it must be one of 'mean', 'sum'"),
    (LogCosh, {"reduction": "avg"}, "reduction is 'avg', it must be one of 'mean', 'sum'"),
    (Huber, {"delta": 0}, "delta is 0, it must be finite and above 0"),
    (
        Quantile,
        {"quantiles": [0.5, 1]},
        "quantiles[1] is 1, it must be finite and above 0 and bel",
    ),
    (
        Quantile,
        {"quantiles": [0.0]},
        "quantiles[0] is 0.0, it must be finite and above 0 and below",
    ),
    (Quantile, {"quantiles": [NAN]}, "quantiles[0] is nan"),
    (Quantile, {"quantiles": []}, "quantiles has 0 entries, it must have at least 1"),
    (Quantile, {"quantiles": [0.5, 0.5]}, "quantiles is [0.5, 0.5], they must be different"),
    (PoissonNLL, {"eps": -1e-9}, "eps is -1e-09, it must be finite and at least 0"),
    (GaussianNLL, {"reduction": "none"}, "reduction is 'none'"),
    (Focal, {"gamma": -1}, "gamma is -1, it must be finite and at least 0"),
    (Focal, {"alpha": 1.5}, "alpha is 1.5, it must be finite and at least 0 and at most 1"),
    (BinaryCrossEntropy, {"pos_weight": -1}, "pos_weight is -1, it must be finite and at least 0"),
    (BinaryCrossEntropy, {"pos_weight": [1, NAN]}, "pos_weight[1] is nan"),
    (BinaryCrossEntropy, {"pos_weight": []}, "pos_weight has 0 entries"),
    (BinaryCrossEntropy, {"from_logits": False}, "with from_logits=False it must be None"),
    (CrossEntropy, {"class_weight": [1, -1]}, "class_weight[1] is -1"),
    (CrossEntropy, {"label_smoothing": 1.5}, "at least 0 and at most 1"),
    (CrossEntropy, {"ignore_index": 2**63}, "ignore_index is 9223372036854775808"),
    *((SGD, {"lr": lr}, f"lr is {lr}, it must be finite and at least 0") for lr in (-1, NAN, INF)),
    (SGD, {"lr": 10**400}, "it must be finite and at least 0"),
    (SGD, {"momentum": -0.1}, "momentum is -0.1"),
    (SGD, {"momentum": 0}, "momentum is 0.0, with nesterov=True it must be above 0"),
    (SGD, {"weight_decay": -1.0}, "weight_decay is -1.0"),
    (SGD, {"dampening": 0.5}, "dampening is 0.5, with nesterov=True it must be 0"),
    (
        SGD,
        {"nesterov": False, "lr_in_velocity": True, "dampening": 0.5},
        "dampening is 0.5, with lr_in_velocity=True it must be 0",
    ),
    (SGD, {"nesterov": False, "dampening": -0.1}, "dampening is -0.1, it must be finite and at l"),
    (SGD, {"nesterov": False, "dampening": 1.5}, "dampening is 1.5"),
    (Adam, {"lr": NAN}, "lr is nan"),
    (Adam, {"betas": (0.9, 1.0)}, "betas[1] is 1.0, it must be finite and below 1"),
    (Adam, {"betas": (-0.1, 0.9)}, "betas[0] is -0.1, it must be finite and at least 0"),
    (Adam, {"betas": (0.9,)}, "betas has 1 entries, it must have 2"),
    (Adam, {"eps": 0}, "eps is 0, it must be finite and above 0"),
    (AdamW, {"lr": -1}, "lr is -1, it must be finite and at least 0"),
    (AdamW, {"betas": (0.9, 1.0)}, "betas[1] is 1.0, it must be finite and below 1"),
    (AdamW, {"eps": 0}, "eps is 0, it must be finite and above 0"),
    (AdamW, {"weight_decay": -0.1}, "weight_decay is -0.1"),
    (NAdam, {"lr": -1}, "lr is -1"),
    (NAdam, {"betas": (1.0, 0.9)}, "betas[0] is 1.0, it must be finite and below 1"),
    (NAdam, {"eps": 0}, "eps is 0, it must be finite and above 0"),
    (NAdam, {"weight_decay": NAN}, "weight_decay is nan"),
    (NAdam, {"momentum_decay": -0.1}, "momentum_decay is -0.1, it must be finite and at least 0"),
    (RAdam, {"lr": INF}, "lr is inf"),
    (RAdam, {"betas": (0.9, 1.0)}, "betas[1] is 1.0, it must be finite and below 1"),
    (RAdam, {"eps": 0}, "eps is 0, it must be finite and above 0"),
    (RAdam, {"weight_decay": -1}, "weight_decay is -1"),
    (RMSprop, {"lr": -1}, "lr is -1"),
    *((RMSprop, {"alpha": alpha}, f"alpha is {alpha}, it must be") for alpha in (-0.1, 1, NAN)),
    (RMSprop, {"eps": 0}, "eps is 0, it must be finite and above 0"),
    (RMSprop, {"weight_decay": -1}, "weight_decay is -1"),
    (RMSprop, {"momentum": -0.5}, "momentum is -0.5, it must be finite and at least 0"),
    (Adagrad, {"lr": NAN}, "lr is nan"),
    (Adagrad, {"lr_decay": -1}, "lr_decay is -1, it must be finite and at least 0"),
    (Adagrad, {"weight_decay": INF}, "weight_decay is inf"),
    (Adagrad, {"eps": 0}, "eps is 0, it must be finite and above 0"),
    (Lion, {"lr": NAN}, "lr is nan"),
    (Lion, {"betas": (1.0, 0.9)}, "betas[0] is 1.0, it must be finite and below 1"),
    (Lion, {"weight_decay": INF}, "weight_decay is inf"),
]


@pytest.mark.parametrize(("made", "wrong", "message"), LIMITS)
def test_out_of_range(made: type[Spec], wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        made(**{**FULL[made], **wrong})


KINDS: list[tuple[type[Spec], dict[str, Any], str]] = [
    (Linear, {"in_features": 2.5}, "in_features is 2.5 (float), it must be an integer"),
    (Linear, {"in_features": 2.0}, "in_features is 2.0 (float), it must be an integer"),
    (Linear, {"in_features": "2"}, "in_features is '2' (str), it must be an integer"),
    (Linear, {"out_features": None}, "out_features is None (NoneType), it must be an integer"),
    (Linear, {"out_features": True}, "out_features is True (bool), it must be an integer"),
    (Linear, {"out_features": np.bool_(True)}, "it must be an integer"),
    (Linear, {"bias": 1}, "bias is 1 (int), it must be True or False"),
    (Linear, {"init": 3}, "init is 3 (int), it must be one of 'torch_linear'"),
    (Linear, {"trainable": None}, "trainable is None (NoneType), it must be True or False"),
    (Linear, {"lr_scale": True}, "lr_scale is True (bool), it must be a number"),
    (Dropout, {"p": "0.5"}, "p is '0.5' (str), it must be a number"),
    (LayerNorm, {"n": 2.0}, "n is 2.0 (float), it must be an integer"),
    (LayerNorm, {"n": 2, "affine": 1}, "affine is 1 (int), it must be True or False"),
    (BatchNorm1d, {"n": 2.0}, "n is 2.0 (float), it must be an integer"),
    (BatchNorm1d, {"n": 2, "momentum": "0.1"}, "momentum is '0.1' (str), it must be a number"),
    (BatchNorm1d, {"n": 2, "affine": 1}, "affine is 1 (int), it must be True or False"),
    (Residual, {"layers": 3}, "layers is 3 (int), it must be a sequence of layers"),
    (Residual, {"layers": [3]}, "layers[0] is 3 (int), it must be a Layer"),
    (Dropout, {"p": 0.5j}, "it must be a number"),
    (Dropout, {"p": None}, "p is None (NoneType), it must be a number"),
    (Dropout, {"p": np.bool_(False)}, "it must be a number"),
    (GELU, {"approximate": True}, "it must be one of 'none', 'tanh'"),
    (MSE, {"reduction": None}, "reduction is None (NoneType), it must be one of"),
    (BinaryCrossEntropy, {"pos_weight": True}, "pos_weight is True (bool), it must be a number"),
    (BinaryCrossEntropy, {"from_logits": 1}, "from_logits is 1 (int), it must be True or False"),
    (CrossEntropy, {"class_weight": 2.0}, "it must be a sequence of numbers"),
    (CrossEntropy, {"class_weight": "12"}, "it must be a sequence of numbers"),
    (CrossEntropy, {"class_weight": {0: 1.0}}, "(dict), it must be a sequence of numbers"),
    (CrossEntropy, {"class_weight": np.ones((2, 2))}, "class_weight[0] is [1.0, 1.0] (list)"),
    (CrossEntropy, {"ignore_index": 1.0}, "ignore_index is 1.0 (float), it must be an integer"),
    (Quantile, {"quantiles": 0.5}, "quantiles is 0.5 (float), it must be a sequence of numbers"),
    (PoissonNLL, {"full": 1}, "full is 1 (int), it must be True or False"),
    (PoissonNLL, {"log_input": "yes"}, "log_input is 'yes' (str), it must be True or False"),
    (Focal, {"gamma": "2"}, "gamma is '2' (str), it must be a number"),
    (SGD, {"lr": "fast"}, "lr is 'fast' (str), it must be a number"),
    (SGD, {"nesterov": "yes"}, "nesterov is 'yes' (str), it must be True or False"),
    (SGD, {"lr_in_velocity": 0}, "lr_in_velocity is 0 (int), it must be True or False"),
    (Adam, {"amsgrad": 1}, "amsgrad is 1 (int), it must be True or False"),
    (Adam, {"eps_hat": 1}, "eps_hat is 1 (int), it must be True or False"),
    (RMSprop, {"centered": "no"}, "centered is 'no' (str), it must be True or False"),
    (Adam, {"betas": 0.9}, "betas is 0.9 (float), it must be a sequence of numbers"),
]


@pytest.mark.parametrize(("made", "wrong", "message"), KINDS)
def test_wrong_kind(made: type[Spec], wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        made(**{**FULL[made], **wrong})


@pytest.mark.parametrize(
    "made",
    [Linear, *(made for made in FULL if issubclass(made, losses.Loss))],
    ids=lambda x: x.__name__,
)
def test_options_are_keywords(made: type[Spec]) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        made(*FULL[made].values())


def test_strings() -> None:
    for string, made in ACTIVATIONS.items():
        assert resolve_activation(string) == made()
    for string, loss in LOSSES.items():
        assert resolve_loss(string) == loss()
    for string, optimizer in OPTIMIZERS.items():
        assert resolve_optimizer(string) == optimizer()
    assert resolve_activation("logistic") == Sigmoid()
    assert resolve_optimizer(None) == Adam()


def test_specs_resolve_to_themselves() -> None:
    activation, loss, optimizer = ELU(0.5), MSE(), SGD()
    assert resolve_activation(activation) is activation
    assert resolve_loss(loss) is loss
    assert resolve_optimizer(optimizer) is optimizer

    def own(outputs: Any, targets: Any) -> Any:
        return outputs, targets

    assert resolve_loss(own) is own


@pytest.mark.parametrize(
    ("resolve", "wrong", "error", "message"),
    [
        (resolve_activation, "rleu", ValueError, "activation is 'rleu', it must be one of 'ident"),
        (
            resolve_activation,
            3,
            TypeError,
            "activation is 3 (int), it must be an Activation or one of 'identity'",
        ),
        (resolve_activation, Linear(1, 1), TypeError, "an Activation or one of 'identity'"),
        (resolve_activation, ReLU, TypeError, "activation is the class ReLU, it must be one: ReLU"),
        (resolve_loss, "msle", ValueError, "loss is 'msle', it must be one of 'binary_cross_entr"),
        (resolve_loss, MSE, TypeError, "loss is the class MSE, it must be one: MSE()"),
        (resolve_loss, None, TypeError, "loss is None (NoneType), it must be a Loss or one of"),
        (resolve_optimizer, "lbfgs", ValueError, "optimizer is 'lbfgs', it must be one of 'sgd'"),
        (resolve_optimizer, Adam, TypeError, "optimizer is the class Adam"),
        (resolve_optimizer, 0.1, TypeError, "optimizer is 0.1 (float), it must be an Optimizer or"),
    ],
)
def test_unknown(resolve: Any, wrong: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        resolve(wrong)
