"""Arrays for a model, as source: right ones in many guises, and wrong ones."""

from __future__ import annotations

from fuzzing.draw import Draw
from fuzzing.networks import Model

ROWS = {1: 2, 2: 2, 3: 2, 5: 2, 15: 1, 16: 2, 17: 2, 33: 1, 64: 0.5, 257: 0.2, 600: 0.1}
LAYOUTS = ("fortran", "backwards", "strided", "unaligned", "read-only", "list", "subclass")
WHOLE = ("u1", "i1", "i2", "u4", "i8", ">i4", "u8")
REAL = ("f2", "f4", ">f4", ">f8", "g")

# Arguments that no array of numbers is, and numbers that no X of these samples is.
NO_NUMBERS = (
    *("None", "'text'", "object()", "[]", "{}", "np.array([['a']])", "np.zeros((2, 2), complex)"),
    *("np.zeros(3, 'M8[s]')", "[[1.0], [2.0, 3.0]]", "np.float64(3.0)", "[[None]]", "10**400"),
    *("np.zeros((0, 0))", "np.ma.masked_array([1.0])", "np.zeros((2, 3), [('a', 'f8')])", "True"),
)


def guise(draw: Draw, source: str) -> str:
    """The same numbers, perhaps in another memory layout."""
    return f"laid_out({source}, {draw.one(LAYOUTS)!r})" if draw.maybe(0.35) else source


def shape_of(rows: int, sample: tuple[int, ...]) -> str:
    return ", ".join(map(str, (rows, *sample)))


def right_x(draw: Draw, model: Model, rows: int) -> str:
    shape = shape_of(rows, model.sample)
    kind = draw.weighted({"plain": 5, "real": 2, "whole": 2, "bool": 0.5, "size": 0.7})
    if kind == "whole":
        source = f"whole({draw.seed()}, 5, {shape}).astype({draw.one(WHOLE)!r})"
    elif kind == "bool":
        source = f"whole({draw.seed()}, 2, {shape}).astype(bool)"
    else:
        source = f"normal({draw.seed()}, {shape})"
        if kind == "size":
            source = f"{draw.one(['1e-3', '100.0', '1e-30', '1e5', '1e20'])} * {source}"
        elif kind == "real":
            source += f".astype({draw.one(REAL)!r})"
    return guise(draw, source)


def wrong_x(draw: Draw, model: Model, rows: int) -> str:
    good = f"normal({draw.seed()}, {shape_of(rows, model.sample)})"
    # A convolution takes images of other sizes, if what Flatten then gives is as much.
    other = model.sample[:2] if len(model.sample) == 3 else (model.sample[0] + 1,)
    bad = draw.one(["np.nan", "np.inf", "-np.inf"])
    return draw.one(
        [
            draw.one(NO_NUMBERS),
            f"normal(1, {shape_of(rows, other)})",
            f"normal(1, {shape_of(rows, (2, *model.sample))})",
            f"np.zeros(({shape_of(0, model.sample)}))",
            f"np.where({good} == {good}.max(), {bad}, {good})",
            f"{good}.astype({draw.one(['O', 'U', 'S', 'c8'])!r})",
        ]
    )


def right_y(draw: Draw, model: Model, rows: int) -> str:
    k, columns, seed = model.outputs, model.columns, draw.seed()
    shape = f"{rows}, {columns}" if columns > 1 or draw.maybe(0.4) else str(rows)
    if model.targets == "numbers":
        source = f"normal({seed}, {shape})"
    elif model.targets == "rates":
        source = f"whole({seed}, 5, {shape})" + draw.one(["", " / 2"])
    elif model.targets == "share":
        source = f"whole({seed}, 5, {shape}) / 4"
    elif model.targets == "flags":
        kind = draw.one(["i8", "f4", "u1", "f8"])
        source = f"whole({seed}, 2, {shape}).astype({kind!r})"
    elif model.targets == "probabilities":
        source = f"np.eye({k})[whole({seed}, {k}, {rows})]"
    else:
        source = f"whole({seed}, {k}, {rows})"
        if draw.maybe(0.3):
            source += f".astype({draw.one(['i1', 'u8', 'f4'])!r})"
    return guise(draw, source)


def named_y(draw: Draw, model: Model, rows: int) -> str | None:
    """Labels of another type than indices, which fit may learn."""
    binary = model.targets == "flags" and model.outputs == 1
    if (model.targets != "classes" and not binary) or model.ignore_index is not None:
        return None
    k = 2 if binary else model.outputs
    names = draw.one(
        [
            [f"c{i}" for i in range(k)],
            [10 * i - 5 for i in range(k)],
            [2**53 + i for i in range(k)],
            [i + 0.5 for i in range(k)],
        ]
    )
    return f"labels({draw.seed()}, {names}, {rows})" if rows >= k else None


def wrong_y(draw: Draw, model: Model, rows: int) -> str:
    k = model.columns
    return draw.one(
        [
            *("'text'", "None", "object()", "{}", "[]"),
            *("np.zeros(3, complex)", "[[1.0], [2.0, 3.0]]"),
            f"normal(2, {rows + 1}, {k})",
            f"normal(2, {rows}, {k + 1})",
            f"np.full(({rows}, {k}), np.nan)",
            f"np.full({rows}, np.inf)",
            f"np.zeros(({rows}, {k}), 'M8[s]')",
        ]
    )


def right_weight(draw: Draw, rows: int) -> str:
    source = f"whole({draw.seed()}, 4, {rows})"
    power = draw.one(["1.0", "0.25", "1e-3", "1e-30", "1e-60", "1e30"])
    return guise(draw, source if draw.maybe(0.3) else f"{power} * {source}")


def wrong_weight(draw: Draw, rows: int) -> str:
    return draw.one(
        [
            *("'text'", "object()", "-1.0", "[]"),
            f"np.ones({rows + 1})",
            f"-np.ones({rows})",
            f"np.full({rows}, np.nan)",
            f"np.full({rows}, np.inf)",
            f"np.ones(({rows}, 2))",
        ]
    )
