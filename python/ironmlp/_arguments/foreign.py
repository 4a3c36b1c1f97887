"""Names that scikit-learn, Keras and PyTorch use, and what they are called here.

It is read when an error is about to be raised: no name of these is accepted.
"""

from __future__ import annotations

from collections.abc import Collection

# What an argument of another library is called here.
ARGUMENTS = {
    "alpha": ("negative_slope", "l2"),
    "averaging": ("ema",),
    "base_lr": ("lr",),
    "batchsize": ("batch_size",),
    "beta1": ("betas",),
    "beta2": ("betas",),
    "beta_1": ("betas",),
    "beta_2": ("betas",),
    "boundaries": ("milestones",),
    "clipnorm": ("clip_norm",),
    "clipvalue": ("clip_value",),
    "criterion": ("loss",),
    "data_format": ("channels_last",),
    "decay": ("weight_decay",),
    "decay_rate": ("gamma",),
    "decay_steps": ("T_max", "total_iters", "step_size"),
    "dilation_rate": ("dilation",),
    "elementwise_affine": ("affine",),
    "epoch": ("epochs",),
    "epochs": ("total_steps",),
    "epsilon": ("eps",),
    "ema_decay": ("ema",),
    "ema_momentum": ("ema",),
    "filename": ("path",),
    "filepath": ("path",),
    "filters": ("out_channels",),
    "first_decay_steps": ("T_0",),
    "global_clipnorm": ("clip_norm",),
    "hidden": ("layer_sizes",),
    "hidden_layer_sizes": ("layer_sizes",),
    "hidden_layers": ("layer_sizes",),
    "hidden_sizes": ("layer_sizes",),
    "hidden_units": ("layer_sizes",),
    "init_method": ("init",),
    "initial_learning_rate": ("lr",),
    "initializer": ("init",),
    "input_dim": ("in_features", "layer_sizes"),
    "input_size": ("in_features", "layer_sizes"),
    "kernel_initializer": ("init",),
    "kernel_regularizer": ("l2",),
    "l2_regularization": ("l2",),
    "layers": ("layer_sizes",),
    "learning_rate": ("lr", "max_lr"),
    "learning_rate_init": ("lr",),
    "loss_fn": ("loss",),
    "loss_function": ("loss",),
    "lr": ("max_lr",),
    "max_epochs": ("epochs",),
    "max_grad_norm": ("clip_norm",),
    "max_norm": ("clip_norm",),
    "max_iter": ("epochs",),
    "min_delta": ("threshold",),
    "n_epochs": ("epochs",),
    "n_iter_no_change": ("patience",),
    "n_jobs": ("n_threads",),
    "nb_epoch": ("epochs",),
    "nesterovs_momentum": ("nesterov",),
    "normalize": ("standardize",),
    "normalized_shape": ("n",),
    "num_classes": ("n_classes",),
    "num_epochs": ("epochs",),
    "num_features": ("n",),
    "num_threads": ("n_threads",),
    "num_warmup_steps": ("steps",),
    "opt": ("optimizer",),
    "pool_size": ("kernel_size",),
    "prob": ("p",),
    "quantile": ("quantiles",),
    "random_seed": ("seed",),
    "random_state": ("seed",),
    "rate": ("p",),
    "rho": ("alpha",),
    "sample_weights": ("sample_weight",),
    "save_freq": ("every",),
    "size_average": ("reduction",),
    "sizes": ("layer_sizes",),
    "slope": ("negative_slope",),
    "solver": ("optimizer",),
    "start_factor": ("start",),
    "steps_per_epoch": ("total_steps",),
    "strides": ("stride",),
    "t_mul": ("T_mult",),
    "threads": ("n_threads",),
    "total_iters": ("steps",),
    "units": ("out_features", "layer_sizes"),
    "use_bias": ("bias",),
    "use_ema": ("ema",),
    "warmup_steps": ("steps",),
    "weight": ("class_weight", "sample_weight"),
    "validation_fraction": ("validation_split",),
    "weight_initializer": ("init",),
    "weights": ("class_weight", "sample_weight"),
}

FIT = "it belongs to fit: model.fit(X, y, {})"
MODEL = "it belongs to the model: im.MLP([inputs, hidden, outputs], {})"
OPTIMIZER = "it belongs to the optimizer: optimizer=im.Adam({}), and model.learning_rate changes it"
DECAY = "it belongs to the optimizer: optimizer=im.Adam(weight_decay=...)"
PENALTY = "it belongs to the optimizer, and is called l2: optimizer=im.Adam(l2=1e-4)"
SCHEDULE = (
    "a schedule takes the place of the number: im.Adam(lr=im.CosineAnnealingLR(1e-3, T_max=50))"
)
WARMUP = (
    "im.LinearWarmup(schedule, steps) begins a schedule with it: im.Adam(lr=im.LinearWarmup(...))"
)
STOPPING = "a callback does it: fit(..., callbacks=[im.EarlyStopping('loss', patience=10)])"
NOTHING = "there is nothing of that kind, leave it out"

# Where an argument belongs that the function has under no name.
PLACES = {
    "alpha": PENALTY,
    "amsgrad": "it belongs to Adam: optimizer=im.Adam(amsgrad=True)",
    "activation": "it is a layer of its own, im.ReLU(), or an argument of im.MLP",
    "affine": NOTHING,
    "anneal_strategy": "it is the cosine's, leave it out",
    "append": "fit(..., resume=True) goes on with the file, any other fit begins it anew",
    "batch_size": FIT.format("batch_size=32"),
    "betas": "it belongs to the optimizer: optimizer=im.Adam(betas=(0.9, 0.999))",
    "bias_initializer": "init is for weights and biases",
    "callbacks": FIT.format("callbacks=[...]"),
    "centered": "it belongs to RMSprop: optimizer=im.RMSprop(centered=True)",
    "clip_norm": "it belongs to the optimizer: optimizer=im.Adam(clip_norm=1.0)",
    "clip_value": "it belongs to the optimizer: optimizer=im.Adam(clip_value=0.5)",
    "class_weight": "it belongs to fit, as 'balanced' or {label: weight}, or to the loss: "
    "loss=im.CrossEntropy(class_weight=[...])",
    "cycle_momentum": "the momentum stays as it is, leave it out",
    "dampening": "it belongs to SGD: optimizer=im.SGD(momentum=0.9, dampening=0.1)",
    "decoupled_weight_decay": "im.AdamW has it",
    "device": "everything runs on the CPU, leave it out",
    "dtype": "the whole model has one: im.MLP([...], dtype='float32')",
    "early_stopping": STOPPING,
    "ema": "it belongs to the optimizer: optimizer=im.Adam(ema=0.999)",
    "epochs": FIT.format("epochs=20"),
    "eps_hat": "it belongs to Adam: optimizer=im.Adam(eps_hat=True)",
    "eps": "it belongs to the optimizer: optimizer=im.Adam(eps=1e-8)",
    "from_logits": "it belongs to the loss: im.BinaryCrossEntropy(from_logits=False); "
    "cross_entropy takes logits always",
    "initial_accumulator_value": "sums begin at 0, leave it out",
    "initial_epoch": "epochs count from the model's birth, and fit(..., epochs=100, resume=True) "
    "trains up to 100 in all",
    "inplace": NOTHING,
    "input_shape": "a layer has no shape: X has it, and im.Linear(in_features, out_features)",
    "l1": "it belongs to the optimizer: optimizer=im.Adam(l1=1e-4)",
    "l2": "it belongs to the optimizer: optimizer=im.Adam(l2=1e-4)",
    "last_epoch": "the model counts epochs and updates, and its files do",
    "layer_sizes": "layers one by one are im.Sequential([im.Linear(...), ...]); sizes alone are "
    "im.MLP([inputs, hidden, outputs])",
    "loss": MODEL.format("loss='cross_entropy'"),
    "lr": OPTIMIZER.format("lr=1e-3"),
    "lr_in_velocity": "it belongs to SGD: optimizer=im.SGD(momentum=0.9, lr_in_velocity=True)",
    "lr_schedule": SCHEDULE,
    "lr_scheduler": SCHEDULE,
    "metrics": FIT.format("validation_split=0.1, metrics=['accuracy']") + ", or to evaluate",
    "momentum": "it belongs to the optimizer: optimizer=im.SGD(lr=0.01, momentum=0.9)",
    "n_iter_no_change": STOPPING,
    "n_threads": MODEL.format("n_threads=2"),
    "nesterov": "it belongs to the optimizer: optimizer=im.SGD(momentum=0.9, nesterov=True)",
    "optimizer": MODEL.format("optimizer='adam'"),
    "padding_mode": "what lies outside an image is 0",
    "params": "the model has them: im.MLP([...], optimizer=im.Adam(lr=1e-3))",
    "patience": STOPPING,
    "reduction": "it belongs to the loss: im.MSE(reduction='sum')",
    "sample_weight": FIT.format("sample_weight=..."),
    "save_best_only": "im.Checkpoint(path, monitor='val_loss') writes what is better alone",
    "save_weights_only": "a file holds all that goes on, and safetensors.numpy.load_file takes its "
    "tensors alone",
    "schedule": SCHEDULE,
    "scheduler": SCHEDULE,
    "seed": MODEL.format("seed=0"),
    "shuffle": FIT.format("shuffle=False"),
    "steps_per_epoch": FIT.format("steps_per_epoch=100"),
    "three_phase": "there are two, leave it out",
    "tol": STOPPING,
    "track_running_stats": "they always are; forward(X, training=True) takes those of its rows",
    "validation_data": FIT.format("validation_data=(X_val, y_val)"),
    "validation_freq": FIT.format("validation_freq=5"),
    "validation_split": FIT.format("validation_split=0.1"),
    "verbose": FIT.format("verbose=True"),
    "num_warmup_steps": WARMUP,
    "warmup_steps": WARMUP,
    "warm_start": "fit always goes on from the present parameters; model.reset() starts anew",
    "weight_decay": DECAY,
}

# Strings of other libraries, by the argument that takes them.
STRINGS = {
    "activation": {
        "hard_sigmoid": "sigmoid",
        "hard_silu": "hardswish",
        "hard_swish": "hardswish",
        "leakyrelu": "leaky_relu",
        "linear": "identity",
        "lrelu": "leaky_relu",
        "none": "identity",
        "swish": "silu",
    },
    "dtype": {
        "double": "float64",
        "f4": "float32",
        "f8": "float64",
        "single": "float32",
        "torch.float32": "float32",
        "torch.float64": "float64",
    },
    "init": {
        "glorot": "glorot_uniform",
        "he": "he_normal",
        "kaiming_normal": "he_normal",
        "random_normal": "normal",
        "xavier": "glorot_uniform",
        "xavier_uniform": "glorot_uniform",
        "zero": "zeros",
    },
    "loss": {
        "absolute_error": "mae",
        "bce": "binary_cross_entropy",
        "bce_loss": "binary_cross_entropy",
        "bce_with_logits": "binary_cross_entropy",
        "bcewithlogitsloss": "binary_cross_entropy",
        "bceloss": "binary_cross_entropy",
        "binary_crossentropy": "binary_cross_entropy",
        "binary_log_loss": "binary_cross_entropy",
        "binary_focal_crossentropy": "focal",
        "binaryfocalcrossentropy": "focal",
        "categorical_cross_entropy": "cross_entropy",
        "categorical_crossentropy": "cross_entropy",
        "ce": "cross_entropy",
        "crossentropy": "cross_entropy",
        "crossentropyloss": "cross_entropy",
        "focal_loss": "focal",
        "gaussian": "gaussian_nll",
        "gaussian_nll_loss": "gaussian_nll",
        "huber_loss": "huber",
        "l1": "mae",
        "l1_loss": "mae",
        "l1loss": "mae",
        "l2": "mse",
        "log_loss": "cross_entropy",
        "logcosh": "log_cosh",
        "logistic": "binary_cross_entropy",
        "mean_absolute_error": "mae",
        "mean_squared_error": "mse",
        "mse_loss": "mse",
        "mseloss": "mse",
        "neg_log_likelihood": "cross_entropy",
        "nll": "cross_entropy",
        "nll_loss": "cross_entropy",
        "nllloss": "cross_entropy",
        "poisson": "poisson_nll",
        "poisson_loss": "poisson_nll",
        "poisson_nll_loss": "poisson_nll",
        "sigmoid_cross_entropy": "binary_cross_entropy",
        "sigmoid_focal_loss": "focal",
        "smooth_l1": "huber",
        "smooth_l1_loss": "huber",
        "softmax": "cross_entropy",
        "softmax_cross_entropy": "cross_entropy",
        "sparse_categorical_cross_entropy": "cross_entropy",
        "sparse_categorical_crossentropy": "cross_entropy",
        "squared_error": "mse",
        "squared_loss": "mse",
    },
    "optimizer": {"stochastic_gradient_descent": "sgd"},
    "reduction": {"average": "mean", "sum_over_batch_size": "mean"},
}


QUANTILES = "im.Quantile([0.05, 0.5, 0.95])"
MADE = {
    "loss": dict.fromkeys(("pinball", "pinball_loss", "quantile", "quantile_loss"), QUANTILES),
}


def keyword(word: str, known: Collection[str]) -> str:
    """What to write instead of an argument that a function does not have."""
    ours = ARGUMENTS.get(word, (word,))
    for name in ours:
        if name in known and name == "layer_sizes":
            return "here 'layer_sizes' lists all of them, [inputs, *hidden, outputs]"
        if name in known and name == "betas":
            return "here 'betas' is the pair of both, (0.9, 0.999)"
        if name in known and word in ("epochs", "steps_per_epoch"):
            return "here 'total_steps' is the number of epochs times the steps of one"
        if name in known:
            return f"here it is called {name!r}"
    for name in (word, *ours):
        if name in PLACES:
            return PLACES[name]
    return f"did you mean {like!r}?" if (like := nearest(word, known)) else "it is unknown"


def made(argument: str, word: str) -> str | None:
    """What has no string, since it cannot be made without arguments."""
    return MADE.get(argument, {}).get(plain(word))


def string(argument: str, word: str, known: Collection[str]) -> str | None:
    """The string of `known` that another library spells like this, if there is one."""
    word = plain(word)
    for table in (dict.fromkeys(known), STRINGS.get(argument, {})):
        for spelt, ours in table.items():
            if word in (spelt, spelt.replace("_", "")):
                found = ours or spelt
                return found if found in known else None
    return None


def plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def nearest(word: str, known: Collection[str]) -> str | None:
    """What was probably meant."""
    from difflib import get_close_matches  # which takes long to import

    return next(iter(get_close_matches(word, known, 1, 0.75)), None)
