"""Models of all kinds: what they are made of, and what X and y they take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fuzzing.draw import Draw, call

WIDTHS = {1: 3, 2: 3, 3: 3, 5: 2, 8: 1, 15: 1, 16: 2, 17: 2, 33: 1, 70: 0.4}

# Constants that float32 has exactly, so that both dtypes compute the same function.
ACTIVATIONS = (
    *("im.Sigmoid()", "im.Tanh()", "im.ReLU()", "im.GELU()", "im.GELU('tanh')", "im.SiLU()"),
    *("im.LeakyReLU(0.25)", "im.ELU()", "im.ELU(0.5)", "im.Softplus()", "im.Softplus(2.0, 4.0)"),
    *("im.Identity()", "im.Mish()", "im.SELU()", "im.Hardswish()"),
)

# How often each loss is drawn; "own" is a function of the user's.
LOSSES = {"MSE": 3, "MAE": 1, "Huber": 1, "LogCosh": 1}
LOSSES |= {"BinaryCrossEntropy": 3, "CrossEntropy": 4, "own": 1}
LOSSES |= {"Quantile": 1, "PoissonNLL": 1, "GaussianNLL": 1, "Focal": 1}

# The options of each schedule but for its rate; `LinearWarmup` has one of them in it.
SCHEDULES: dict[str, dict[str, object]] = {
    "StepLR": {"step_size": 2, "gamma": 0.5},
    "MultiStepLR": {"milestones": [1, 2, 2, 9]},
    "ExponentialLR": {"gamma": 0.75},
    "CosineAnnealingLR": {"T_max": 5, "eta_min": 0.0625},
    "CosineAnnealingWarmRestarts": {"T_0": 2, "T_mult": 2},
    "OneCycleLR": {"total_steps": 12, "pct_start": 0.25},
    "PolynomialLR": {"total_iters": 7, "power": 1.5},
}

INITIALIZERS = ("torch_linear", "glorot_uniform", "he_normal", "normal", "zeros")


class Written(str):
    """Source that is shown in a call as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Model:
    """The source of a model's constructor, and what it takes."""

    source: str
    sample: tuple[int, ...]  # the shape of one X
    outputs: int
    columns: int  # of y, if it has no classes
    targets: str  # "numbers", "rates", "share" (numbers in [0, 1]), "flags", "classes"
    own_loss: bool  # a function of the user's
    ignore_index: int | None


def model(draw: Draw) -> Model:
    images = draw.maybe(0.2)
    layers, sample, width = image_layers(draw) if images else ([], None, draw.weighted(WIDTHS))
    first = width
    for _ in range(draw.weighted({0: 1, 1: 3, 2: 2, 3: 0.5})):
        wider = draw.weighted(WIDTHS)
        layers += [linear(draw, width, wider), activation(draw, wider)]
        if draw.maybe(0.15):
            layers.append(layer_norm(draw, wider))
        if draw.maybe(0.12):
            layers.append(batch_norm(draw, wider))
        if draw.maybe(0.15):
            layers.append(residual(draw, wider))
        if draw.maybe(0.15):
            layers.append(f"im.Dropout({draw.one([0.0, 0.25, 0.5])})")
        width = wider
    kind = draw.weighted(LOSSES)
    outputs = draw.weighted({1: 3, 2: 2, 3: 2, 10: 1, 17: 0.5})
    outputs = max(outputs, 2) if kind == "CrossEntropy" else outputs
    columns = 1 if kind == "Quantile" else outputs
    outputs = 2 * outputs if kind == "GaussianNLL" else outputs
    layers.append(linear(draw, width, outputs))
    loss, targets, ignored = loss_of(draw, kind, outputs)
    if "from_logits=False" in loss:
        layers.append("im.Sigmoid()")
    if "log_input=False" in loss:
        layers.append("im.Softplus()")
    last = len(layers) > 0 and "2d" in "".join(layers) and draw.maybe(0.3)
    if sample and last:  # images of (H, W, C)
        sample = (*sample[1:], sample[0])
    source = call(
        "im.Sequential",
        f"[{', '.join(layers)}]",
        f"loss={loss}",
        f"optimizer={with_options(optimizer(draw), draw)}",
        dtype=draw.one(["float32", "float64"]),
        seed=draw.seed(),
        n_threads=draw.weighted({None: 4, 1: 2, 2: 1, 3: 1}),
        scale=draw.weighted({None: 6, 2.0: 1, 255: 1}),
        channels_last=True if last else None,
    )
    sample = sample or (first,)
    return Model(source, sample, outputs, columns, targets, kind == "own", ignored)


def linear(draw: Draw, inputs: int, outputs: int) -> str:
    return call("im.Linear", str(inputs), str(outputs), **weight_options(draw))


def activation(draw: Draw, width: int) -> str:
    """One of `ACTIVATIONS`, or one with slopes for so many features or channels."""
    if not draw.maybe(0.15):
        return draw.one(ACTIVATIONS)
    return call(
        "im.PReLU",
        *([] if draw.maybe(0.5) else [str(width)]),
        init=draw.one([None, None, 0.5, 0.0, -0.25]),
        trainable=False if draw.maybe(0.1) else None,
        lr_scale=draw.one([0.0, 0.5]) if draw.maybe(0.1) else None,
    )


def layer_norm(draw: Draw, width: int) -> str:
    return call(
        "im.LayerNorm",
        str(width),
        eps=draw.one([None, None, 0.25]),
        affine=False if draw.maybe(0.2) else None,
        trainable=False if draw.maybe(0.1) else None,
        lr_scale=draw.one([0.0, 0.5]) if draw.maybe(0.1) else None,
    )


def batch_norm(draw: Draw, width: int) -> str:
    options = {"momentum": draw.one(["None", 0.0, 0.5, 1.0])} if draw.maybe(0.4) else {}
    return layer_norm(draw, width).replace("LayerNorm", "BatchNorm1d", 1)[:-1] + "".join(
        [*(f", {name}={value}" for name, value in options.items()), ")"]
    )


def residual(draw: Draw, width: int, depth: int = 0) -> str:
    """A Residual of a few layers that give as many features as they take."""
    layers, within = [], width
    for _ in range(draw.weighted({1: 3, 2: 3, 3: 1})):
        kind = draw.weighted({"linear": 3, "activation": 3, "norm": 2, "drop": 1, "residual": 1})
        if kind == "linear":
            wider = draw.weighted(WIDTHS)
            layers.append(linear(draw, within, wider))
            within = wider
        elif kind == "activation":
            layers.append(activation(draw, within))
        elif kind == "norm":
            layers.append(layer_norm(draw, within))
        elif kind == "drop":
            layers.append(f"im.Dropout({draw.one([0.0, 0.25])})")
        elif depth < 2:
            layers.append(residual(draw, within, depth + 1))
    if within != width or not layers:
        layers.append(linear(draw, within, width))
    return f"im.Residual([{', '.join(layers)}])"


def weight_options(draw: Draw) -> dict[str, object]:
    return {
        "bias": False if draw.maybe(0.15) else None,
        "init": draw.one(INITIALIZERS) if draw.maybe(0.3) else None,
        "trainable": False if draw.maybe(0.1) else None,
        "lr_scale": draw.one([0.0, 0.5, 2.0]) if draw.maybe(0.1) else None,
    }


def image_layers(draw: Draw) -> tuple[list[str], tuple[int, ...], int]:
    """Layers up to Flatten, the shape (C, H, W) of an image, and the features that come out."""
    channels, height, width = (draw.one(s) for s in ([1, 2, 3], [4, 7, 12], [5, 8, 17]))
    sample, layers = (channels, height, width), []
    for _ in range(draw.weighted({0: 1, 1: 3, 2: 2})):
        kernel = draw.one([1, 2, 3])
        if min(height, width) < kernel + 1:
            break
        if draw.maybe(0.7):
            padding, groups = draw.one([0, 0, 1]), draw.one([1, 1, channels])
            more = groups * draw.one([1, 2, 3])
            options: dict[str, object] = {"padding": padding or None} | weight_options(draw)
            options["groups"] = groups if groups > 1 else None
            layers.append(call("im.Conv2d", f"{channels}, {more}, {kernel}", **options))
            channels = more
            height, width = (side + 2 * padding - kernel + 1 for side in (height, width))
            if draw.maybe(0.15):
                layers.append(batch_norm(draw, channels).replace("1d", "2d", 1))
            layers.append(activation(draw, channels))
        else:
            kernel, stride = 2, draw.one([1, 2])
            layers.append(f"im.{draw.one(['AvgPool2d', 'MaxPool2d'])}(2, {stride})")
            height, width = ((side - kernel) // stride + 1 for side in (height, width))
    return [*layers, "im.Flatten()"], sample, math.prod((channels, height, width))


def loss_of(draw: Draw, kind: str, outputs: int) -> tuple[str, str, int | None]:
    """A loss, the targets that it takes, and the index that it ignores."""
    reduction = "sum" if draw.maybe(0.2) else None
    if kind == "own":
        return "squares", "numbers", None
    if kind == "BinaryCrossEntropy":
        logits = draw.maybe(0.75)
        weight = draw.one([None, 2.0, [0.5 + i for i in range(outputs)]]) if logits else None
        options = {"from_logits": None if logits else False, "pos_weight": weight}
        source = call("im.BinaryCrossEntropy", **options, reduction=reduction)
        return source, draw.one(["share", "flags"]), None
    if kind == "CrossEntropy":
        soft = draw.maybe(0.2)
        ignored = draw.one([0, -1]) if not soft and draw.maybe(0.15) else None
        source = call(
            "im.CrossEntropy",
            class_weight=[0.5 * i + 0.5 for i in range(outputs)] if draw.maybe(0.3) else None,
            label_smoothing=0.125 if draw.maybe(0.2) else None,
            ignore_index=ignored,
            reduction=reduction,
        )
        return source, "probabilities" if soft else "classes", ignored
    if kind == "Focal":
        options = {"gamma": draw.one([None, 0.5, 1.0]), "alpha": draw.one([None, 0.25])}
        source = call("im.Focal", **options, reduction=reduction)
        return source, draw.one(["share", "flags"]), None
    if kind == "PoissonNLL":
        of_rates = draw.maybe(0.3)
        options = {"log_input": False if of_rates else None, "eps": 0.25 if of_rates else None}
        full = True if draw.maybe(0.3) else None
        return call("im.PoissonNLL", **options, full=full, reduction=reduction), "rates", None
    if kind == "Quantile":
        levels = f"[{', '.join(str((2 * i + 1) / (2 * outputs)) for i in range(outputs))}]"
        return call("im.Quantile", levels, reduction=reduction), "numbers", None
    delta = draw.one([None, 0.25]) if kind == "Huber" else None
    return call(f"im.{kind}", delta=delta, reduction=reduction), "numbers", None


def with_options(made: str, draw: Draw) -> str:
    """An optimizer with some of what every one takes, but for penalties, which a trace and
    `backward` know nothing of."""
    options = {"clip_norm": 0.5, "clip_value": 0.125, "decay_bias": False, "ema": 0.75}
    drawn = [f", {name}={value}" for name, value in options.items() if draw.maybe(0.1)]
    return made.removesuffix(")") + "".join(drawn) + ")"


def schedule(draw: Draw, rate: object) -> str:
    """The source of a schedule whose first rate, or largest, is this one."""
    kind = draw.one(sorted(SCHEDULES))
    by = draw.one([None, "step"]) if kind != "OneCycleLR" else None
    source = call(f"im.{kind}", str(rate), **SCHEDULES[kind], by=by)
    if not draw.maybe(0.2):
        return source
    return call("im.LinearWarmup", source, str(draw.one([1, 3, 40])), start=draw.one([None, 0.5]))


def optimizer(draw: Draw) -> str:
    rate: object = draw.weighted({0.0625: 4, 0.0: 0.3, 1e-3: 2, 1e6: 0.3, 1e30: 0.2})
    if draw.maybe(0.2):
        rate = Written(schedule(draw, rate))
    decay = 0.25 if draw.maybe(0.2) else None
    if draw.maybe(0.5):
        momentum = draw.one([None, None, 0.5, 0.75])
        nesterov = True if momentum and draw.maybe(0.3) else None
        dampening = 0.5 if momentum and not nesterov and draw.maybe(0.3) else None
        in_velocity = True if not dampening and draw.maybe(0.3) else None
        settings = {"momentum": momentum, "nesterov": nesterov, "dampening": dampening}
        settings["lr_in_velocity"] = in_velocity
        return call("im.SGD", lr=rate, weight_decay=decay, **settings)
    kind = draw.one(["Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Lion"])
    if kind == "RMSprop":
        centered = True if draw.maybe(0.5) else None
        momentum = 0.5 if draw.maybe(0.5) else None
        settings = {"alpha": 0.75, "momentum": momentum, "centered": centered}
        return call("im.RMSprop", lr=rate, weight_decay=decay, **settings)
    if kind == "Adagrad":
        lr_decay = 0.25 if draw.maybe(0.5) else None
        return call("im.Adagrad", lr=rate, lr_decay=lr_decay, weight_decay=decay)
    betas = (0.5, 0.75) if draw.maybe(0.3) else None
    amsgrad = True if kind == "Adam" and draw.maybe(0.3) else None
    eps_hat = True if kind == "Adam" and draw.maybe(0.3) else None
    options = {"amsgrad": amsgrad, "eps_hat": eps_hat}
    return call(f"im.{kind}", lr=rate, betas=betas, weight_decay=decay, **options)
