"""The print-out of a drawing: its size, its circles and its longest files."""

from __future__ import annotations

from collections.abc import Iterator

from house.arrows import Drawing

LONGEST = 10


def described(language: str, drawn: Drawing) -> Iterator[str]:
    """The lines of the print-out."""
    circles = drawn.circles()
    yield (
        f"{language}: {len(drawn.lines)} files, of which {len(drawn.doors)} only introduce; "
        f"lines: {sum(drawn.lines.values())}; arrows: {len(drawn.arrows)}; circles: {len(circles)}"
    )
    for circle in circles:
        yield f"  circle of {len(circle)} files"
        for source, target in sorted(drawn.arrows):
            if {source, target} <= set(circle):
                yield f"    {source}:{drawn.arrows[source, target]} -> {target}"
    for file, (line, name) in sorted(drawn.working.items()):
        yield f"  {file}:{line} does not only introduce: {name}"
    yield "  longest files"
    for file in sorted(drawn.lines, key=lambda file: -drawn.lines[file])[:LONGEST]:
        yield f"  {drawn.lines[file]:5} {file}"
