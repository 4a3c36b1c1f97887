"""A drawing: the files of one language, and an arrow from each file to each that it uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

# The lines of the uses by the file that uses and the one that is used.
Arrows = dict[tuple[str, str], int]


@dataclasses.dataclass
class Drawing:
    """Files by name with their numbers of lines, and the first line of each arrow.

    `doors` are the files that only declare and pass on (mod.rs, __init__.py): no arrow begins or
    ends at one, for what they pass on is looked up where it is defined. `working` has the ones
    that do more than that, with the line and the name of the first thing that they define.
    """

    lines: dict[str, int]
    arrows: Arrows = dataclasses.field(default_factory=dict)
    doors: set[str] = dataclasses.field(default_factory=set)
    working: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)

    def add(self, source: str, target: str | None, line: int) -> None:
        """An arrow, unless it leads out of the project or to the file itself."""
        if target is not None and target != source and not {source, target} & self.doors:
            self.arrows[source, target] = min(line, self.arrows.get((source, target), line))

    def circles(self) -> list[list[str]]:
        """The files that lead back to themselves, those that lead to each other together."""
        return [sorted(found) for found in knots(self.lines, self.arrows) if len(found) > 1]

    def round_trip(self, circle: Iterable[str]) -> list[str]:
        """A shortest way around within a circle; its first file is the first by name."""
        members = set(circle)
        ways = [way for start in sorted(members) if (way := self._way_back(start, members))]
        shortest = min(ways, key=len)
        first = shortest.index(min(shortest))
        return shortest[first:] + shortest[:first]

    def _way_back(self, start: str, members: set[str]) -> list[str]:
        ways = [[start]]
        seen: set[str] = set()
        for way in ways:
            for source, target in sorted(self.arrows):
                if source != way[-1] or target not in members or target in seen:
                    continue
                if target == start:
                    return way
                seen.add(target)
                ways.append([*way, target])
        return []


def knots(files: Iterable[str], arrows: Iterable[tuple[str, str]]) -> Iterator[set[str]]:
    """The strongly connected components, by Tarjan's algorithm (1972, SIAM J. Comput. 1:146)."""
    targets: dict[str, list[str]] = {name: [] for name in files}
    for source, target in sorted(arrows):
        targets[source].append(target)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for target in targets[name]:
            if target not in number:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], number[target])
        if low[name] == number[name]:
            start = stack.index(name)
            found.append(set(stack[start:]))
            del stack[start:]

    for name in sorted(targets):
        if name not in number:
            visit(name)
    yield from sorted(found, key=min)
