"""Writes elementary.txt: elementary functions at chosen and random float64 numbers, to 50 digits.

Run it in this folder (needs mpmath); the file is kept in the repository, and the tests read it.
A line has a function's name, then in hexadecimal the bits of its argument and of the float64
nearest to its value, then what is left of the value, in units in the last place of the nearest.
"""

from __future__ import annotations

import itertools
import math
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import mpmath
from mpmath import mpf

# 50 digits are sure: no function below cancels more than 30 of them.
mpmath.mp.dps = 80

RANDOM = 45

LEAST, NORMAL, LARGEST = 2.0**-1074, 2.0**-1022, math.nextafter(math.inf, 0.0)
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan)


def sigmoid(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x)) if x > 0 else mpmath.exp(x) / (1 + mpmath.exp(x))


def softplus(x: mpf) -> mpf:
    return max(x, mpf(0)) + mpmath.log1p(mpmath.exp(-abs(x)))


def gelu(x: mpf) -> mpf:
    if abs(x) > 100:  # from x by less than 10**-2000
        return max(x, mpf(0))
    return x / 2 * mpmath.erfc(-x / mpmath.sqrt(2))


def gelu_tanh(x: mpf) -> mpf:
    """x/2 (1 + tanh(u)) = x sigmoid(2u)"""
    return x * sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3))


def cos_two_pi(x: mpf) -> mpf:
    return mpmath.cospi(2 * x)


def near(*points: float) -> Iterator[float]:
    """Points with the two float64 on either side of each."""
    for point in points:
        above, below = math.nextafter(point, math.inf), math.nextafter(point, -math.inf)
        yield from (point, above, below, math.nextafter(above, math.inf))
        yield math.nextafter(below, -math.inf)


def signed(points: Iterable[float]) -> Iterator[float]:
    for point in points:
        yield from (point, -point)


def binades(low: int, high: int, draw: random.Random) -> Iterator[float]:
    """Random numbers of either sign whose exponents are even over a range."""
    for _ in range(RANDOM):
        yield math.ldexp(draw.uniform(1.0, 2.0) * draw.choice((-1, 1)), draw.randint(low, high))


def between(low: float, high: float, draw: random.Random) -> Iterator[float]:
    return (draw.uniform(low, high) for _ in range(RANDOM))


TINY = (LEAST, 3 * LEAST, NORMAL - LEAST, NORMAL, 1e-300, 1e-30, 2.0**-54, 2.0**-53, 1e-8)
LN2 = math.log(2.0)
# Reduction to e^r turns from one power of two to the next at odd multiples of ln(2) / 2.
TURNS = tuple((k + 0.5) * LN2 for k in (0, 1, 2, 7, 52, 53, 54, 500))
# exp: the ends of the normal, the subnormal and the finite numbers, and where it is cut off.
EXP_ENDS = (-708.3964185322641, -745.1332191019411, -745.1332191019412, -746.0)
EXP_TOP = (709.0895657128241, 709.782712893384, 710.0)


def points(name: str, draw: random.Random) -> Iterator[float]:
    """Where a function is looked at: special and tiny numbers, both sides of each place where the
    implementation changes, random numbers where the function bends, random numbers of all sizes."""
    yield from SPECIAL
    yield from signed(TINY)
    if name in ("exp", "expm1", "sigmoid", "softplus", "silu", "mish"):
        yield from signed(near(*TURNS))
        yield from near(*EXP_ENDS, *EXP_TOP, -38.0, -37.42994775023705)
        yield from signed((1.0, 18.0, 36.7368005696771, 100.0, 1e10, LARGEST))
        yield from between(-745.0, 710.0, draw)
        yield from between(-3.0, 3.0, draw)
    elif name == "tanh":
        yield from signed(near(*(turn / 2 for turn in TURNS[:5]), 19.5, 19.0615474653985))
        yield from signed((1.0, 100.0, LARGEST))
        yield from between(-20.0, 20.0, draw)
        yield from between(-1.0, 1.0, draw)
    elif name == "log":
        yield from near(NORMAL, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, LARGEST / 2, 2.0**-54)
        yield from (-1.0, LARGEST, math.nextafter(LARGEST, 0.0))
        yield from between(0.5, 2.0, draw)
        yield from between(0.999, 1.001, draw)
    elif name == "log1p":
        yield from signed(near(0.25, 0.5, 1.0, 2.0**-54, 2.0**-53))
        yield from (-2.0, 2.0, 2.0**52, 2.0**53, 2.0**54, 2.0**1023, LARGEST)
        yield from between(-1.0, 1.0, draw)
        yield from (-1.0 + 2.0 ** -draw.uniform(1.0, 53.0) for _ in range(RANDOM))
    elif name in ("erf", "gelu", "gelu_tanh"):
        yield from signed(near(1.0, math.sqrt(2.0), 6.0, 6.0 * math.sqrt(2.0), 5.921587195794508))
        yield from signed((0.5, 3.0, 10.0, 38.0, 40.0, 1e10, LARGEST))
        yield from between(-9.0, 9.0, draw)
        yield from between(-1.5, 1.5, draw)
    elif name == "cos_two_pi":
        yield from (u for u in near(*(k / 8 for k in range(9))) if 0.0 <= u <= 1.0)
        yield from between(0.0, 1.0, draw)
        yield from between(0.0, 0.25, draw)
    low, high = (-1074, 1023) if name in ("log", "log1p") else (-60, 10)
    yield from binades(low, high, draw)


def allowed(name: str, x: float) -> bool:
    """Whether x is in a function's range; limits at infinity and NaN are its argument's."""
    return name != "cos_two_pi" or (0.0 <= x <= 1.0)


FUNCTIONS: dict[str, Callable[[mpf], mpf]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sigmoid": sigmoid,
    "tanh": mpmath.tanh,
    "softplus": softplus,
    "erf": mpmath.erf,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * mpmath.tanh(softplus(x)),
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "cos_two_pi": cos_two_pi,
}

# Values at -inf and inf.
LIMITS = {
    "exp": (0.0, math.inf),
    "expm1": (-1.0, math.inf),
    "log": (math.nan, math.inf),
    "log1p": (math.nan, math.inf),
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softplus": (0.0, math.inf),
    "erf": (-1.0, 1.0),
    "silu": (math.nan, math.inf),
    "mish": (-0.0, math.inf),
    "gelu": (math.nan, math.inf),
    "gelu_tanh": (math.nan, math.inf),
}

# Those that are x times a positive number near 0 and so keep the sign of -0.
ODD_AT_ZERO = ("expm1", "log1p", "tanh", "erf", "silu", "mish", "gelu", "gelu_tanh")


def nearest(y: mpf) -> tuple[float, mpf]:
    """The nearest float64, and the rest in units in its last place; y is positive."""
    if y >= mpf(2) ** 1024 - mpf(2) ** 970:
        return math.inf, mpf(0)
    exponent = max(mpmath.frexp(y)[1] - 1, -1022)
    unit = mpf(2) ** (exponent - 52)
    rounded = int(mpmath.nint(y / unit))
    # This may be the next power of two, of which the last place is twice as large.
    found = math.ldexp(rounded, exponent - 52)
    return found, (y - rounded * unit) / mpf(math.ulp(found))


def value(name: str, x: float) -> tuple[float, mpf]:
    if math.isnan(x):
        return math.nan, mpf(0)
    if math.isinf(x):
        return LIMITS[name][x > 0], mpf(0)
    if x == 0.0 and name in ODD_AT_ZERO:
        return x, mpf(0)
    if name in ("log", "log1p") and x <= -(name == "log1p"):
        at_pole = x == (-1.0 if name == "log1p" else 0.0)
        return -math.inf if at_pole else math.nan, mpf(0)
    y = FUNCTIONS[name](mpf(x))
    if y == 0:
        return 0.0, mpf(0)
    found, rest = nearest(abs(y))
    sign = math.copysign(1.0, y)
    return sign * found, sign * rest


def bits(x: float) -> str:
    return struct.pack(">d", x).hex()


def lines(name: str) -> list[str]:
    draw = random.Random(name)
    wanted = [x for x in points(name, draw) if allowed(name, x)]
    if name == "log":  # nothing but NaN below -0: one number of it is enough
        wanted = [x if x == 0.0 or math.isinf(x) or x == -1.0 else abs(x) for x in wanted]
    found = []
    for x in {bits(x): x for x in wanted}.values():
        y, rest = value(name, x)
        found.append(f"{name} {bits(x)} {bits(y)} {mpmath.nstr(rest, 3)}")
    return found


def main() -> None:
    text = "\n".join(itertools.chain.from_iterable(map(lines, FUNCTIONS)))
    Path("elementary.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
