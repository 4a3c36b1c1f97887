"""Whether more threads make any network of peers.py slower.

    python benches/peers.py --peers ironmlp --threads 1,2 --out FILE
    python benches/scaling.py [FILE]

Measures nothing: the rows are those of a run of peers.py, the newest in benches/results/ if no
file is named. For each network it prints ironmlp's microseconds for a step with the fewest threads,
and how many times as quick each larger number is. One that takes over 5 % longer than a smaller
number is marked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from report import newest
from results import Line, lines, read

# What counts as noise: a step may take this many times as long as with fewer threads.
MOST = 1.05


def by_network(found: list[Line]) -> dict[str, dict[int, float]]:
    """ironmlp's median times by network and number of threads, ascending."""
    times: dict[str, dict[int, float]] = {}
    for line in sorted(found, key=lambda line: line.threads):
        if "ironmlp" in line.median:
            times.setdefault(line.workload, {})[line.threads] = line.median["ironmlp"]
    return times


def slower(times: dict[int, float]) -> list[int]:
    """The numbers of threads that take longer than one below them."""
    return [
        count
        for count, time in times.items()
        if any(time > MOST * times[fewer] for fewer in times if fewer < count)
    ]


def main() -> int:
    path = Path(sys.argv[1]) if sys.argv[1:] else newest()
    times = by_network(lines(read(path)))
    counts = sorted({count for network in times.values() for count in network})
    if len(counts) < 2:
        print(f"{path.name} has one number of threads only: nothing to compare")
        return 0
    print(f"{'network':13} {f'{counts[0]} thread':>12}{''.join(f'{n:>9}' for n in counts[1:])}")
    for name, network in times.items():
        first, *others = network
        ratios = "".join(f"{network[first] / network[count]:9.2f}" for count in others)
        mark = f"   slower with {', '.join(map(str, slow))}" if (slow := slower(network)) else ""
        print(f"{name:13} {network[first]:12.2f}{ratios}{mark}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
