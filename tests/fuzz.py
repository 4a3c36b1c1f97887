"""Draws programs for the public API and looks whether ironmlp keeps its promises in them.

    python tests/fuzz.py --cases 100000 --seed 1
    python tests/fuzz.py --case 1234567

A case is a short program: a network of any kind, and calls of its methods with arrays of all dtypes
and memory orders, some of them wrong. What must hold after each call is written down in
fuzzing/judge.py. A case depends on its number alone. Cases run in child processes, so that a crash
is found too; a case that fails is cut down to the lines that it needs, and printed with its number.
"""

from __future__ import annotations

import argparse
import sys
import time

from fuzzing import campaign

# The cases of two seeds have nothing in common.
CASES_OF_A_SEED = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description="Try random programs against ironmlp.")
    parser.add_argument("--cases", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=0, help="which of them (0)")
    parser.add_argument("--case", type=int, help="one case, by its number, in this process")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--plant", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        first, end = map(int, given.child.split(":"))
        campaign.as_child(first, end, given.plant)
        return 0
    if given.case is not None:
        found = campaign.tried(given.case)
        print(found or f"case {given.case} holds:\n\n{campaign.program(given.case).source}")
        return 1 if found else 0
    if not 0 < given.cases <= CASES_OF_A_SEED:
        parser.error(f"--cases is {given.cases}, it must be from 1 to {CASES_OF_A_SEED}")
    first, start, count = given.seed * CASES_OF_A_SEED, time.monotonic(), 0
    for finding in campaign.campaign(first, first + given.cases, given.plant):
        count += 1
        print(finding, flush=True)
    seconds = time.monotonic() - start
    print(f"{given.cases} cases of seed {given.seed} in {seconds:.0f} s: {count} failed")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
