"""Layers, losses, optimizers and schedules as data: ironmlp's own, or objects with the same
attributes."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DEFAULTS: dict[str, dict[str, Any]] = {
    "Linear": {"bias": True, "init": None, "trainable": True, "lr_scale": 1.0},
    "Conv2d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    | {"bias": True, "init": None, "trainable": True, "lr_scale": 1.0},
    "AvgPool2d": {"stride": None},
    "MaxPool2d": {"stride": None},
    "Flatten": {},
    "Dropout": {"p": 0.5},
    "LayerNorm": {"eps": 1e-5, "affine": True, "trainable": True, "lr_scale": 1.0},
    **{
        name: {"eps": 1e-5, "momentum": 0.1, "affine": True, "trainable": True, "lr_scale": 1.0}
        for name in ("BatchNorm1d", "BatchNorm2d")
    },
    "Residual": {},
    **{name: {} for name in ("Identity", "Sigmoid", "Tanh", "ReLU", "SELU", "SiLU", "Mish")},
    "Hardswish": {},
    "PReLU": {"num_parameters": 1, "init": 0.25, "trainable": True, "lr_scale": 1.0},
    "LeakyReLU": {"negative_slope": 0.01},
    "ELU": {"alpha": 1.0},
    "GELU": {"approximate": "none"},
    "Softplus": {"beta": 1.0, "threshold": 20.0},
    "BinaryCrossEntropy": {"from_logits": True, "pos_weight": None, "reduction": "mean"},
    "CrossEntropy": {"class_weight": None, "label_smoothing": 0.0, "ignore_index": None}
    | {"reduction": "mean"},
    "MSE": {"reduction": "mean"},
    "MAE": {"reduction": "mean"},
    "Huber": {"delta": 1.0, "reduction": "mean"},
    "LogCosh": {"reduction": "mean"},
    "Quantile": {"reduction": "mean"},
    "PoissonNLL": {"log_input": True, "full": False, "eps": 1e-8, "reduction": "mean"},
    "GaussianNLL": {"reduction": "mean"},
    **{
        name: {"reduction": "rows"}
        for name in (
            "ClippedCrossEntropy",
            "ClippedBCEWithLogits",
            "HalfSquaredError",
            "HalfPoissonDeviance",
        )
    },
    "Focal": {"gamma": 2.0, "alpha": None, "reduction": "mean"},
    "SGD": {"lr": 1e-3, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False, "dampening": 0.0}
    | {"lr_in_velocity": False},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
    | {"amsgrad": False, "eps_hat": False},
    "AdamW": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2},
    "NAdam": {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
    | {"momentum_decay": 4e-3},
    "RAdam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    "RMSprop": {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0}
    | {"momentum": 0.0, "centered": False},
    "Adagrad": {"lr": 1e-2, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10},
    "Lion": {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0},
    "StepLR": {"gamma": 0.1, "by": "epoch"},
    "MultiStepLR": {"gamma": 0.1, "by": "epoch"},
    "ExponentialLR": {"by": "epoch"},
    "CosineAnnealingLR": {"eta_min": 0.0, "by": "epoch"},
    "CosineAnnealingWarmRestarts": {"T_mult": 1, "eta_min": 0.0, "by": "epoch"},
    "OneCycleLR": {"pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4},
    "PolynomialLR": {"total_iters": 5, "power": 1.0, "by": "epoch"},
    "LinearWarmup": {"start": 0.0},
}

# What every optimizer takes.
OPTIONS: dict[str, Any] = {"clip_norm": None, "clip_value": None, "l1": 0.0, "l2": 0.0} | {
    "decay_bias": True,
    "ema": None,
}


class Spec:
    """The base of what `spec` makes."""

    def __repr__(self) -> str:
        values = {k: v for k, v in vars(type(self)).items() if not k.startswith("__")}
        return f"{kind(self)}({', '.join(f'{k}={v!r}' for k, v in values.items())})"


def spec(what: Any, **values: Any) -> Any:
    """An object with the attributes `values`, its class named by the string `what`.

    "leaky_relu" names LeakyReLU. Anything but a string is returned as it is.
    """
    if not isinstance(what, str):
        return what
    plain = what.replace("_", "").lower().replace("logistic", "sigmoid")
    for name, defaults in DEFAULTS.items():
        if name.lower() == plain:
            options = OPTIONS if "lr" in defaults else {}
            return type(name, (Spec,), options | defaults | values)()
    raise ValueError(f"{what!r} is unknown, known: {', '.join(DEFAULTS)}")


def kind(item: Any) -> str:
    return type(item).__name__
