"""Makes the README's table and the chart from the rows that peers.py wrote.

    python benches/report.py [FILE] [--print]

FILE is the newest in benches/results/ if it is not given. The part of README.md between the lines
`<!-- benches -->` and `<!-- /benches -->` is rewritten, and docs/benches.png drawn (that needs
matplotlib); `--print` shows the part and writes nothing. Runs that were quick, stopped, had
failures or were of images (lenet.py) are refused; `--print` takes quick ones and those of images.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from record import RESULTS, Row
from results import Line, digits, lines, peaks, percent, read
from workers import PEERS, counted
from workloads import BY_NAME

ROOT = Path(__file__).resolve().parent.parent
README, CHART = ROOT / "README.md", ROOT / "docs" / "benches.png"
BEGIN, END = "<!-- benches -->", "<!-- /benches -->"


def console(line: Line) -> str:
    """A line for people who wait: medians, minima in parentheses, and how many times ironmlp's
    median that is; then ironmlp's speed."""
    ours, parts = line.median.get("ironmlp"), []
    for peer in (peer for peer in PEERS if peer in line.median):
        part = f"{peer} {digits(line.median[peer])} ({digits(line.least[peer])})"
        parts.append(part if not ours or peer == "ironmlp" else f"{part} {line.over(peer):.2f} x")
    text = f"  {counted(line.threads)}, us: {', '.join(parts)}"
    if ours:
        text += f"; {digits(BY_NAME[line.workload].flops / ours / 1e3)} GFLOP/s"
    return text if line.share is None else f"{text}, {percent(line.share)} of the peak"


def table(found: list[Line], threads: int) -> str:
    """The Markdown table of one number of threads."""
    found = [line for line in found if line.threads == threads]
    there = [peer for peer in PEERS if any(peer in line.median for line in found)]
    head = ["network (batch, optimizer)", "MFLOP", *(PEERS[peer][2] for peer in there)]
    body = [
        [*head, "ratio to the best peer", "share of peak"],
        ["---", *["---:"] * (len(head) + 1)],
    ]
    for line in found:
        workload = BY_NAME[line.workload]
        cells = [f"{workload.name}: {workload.label}", digits(workload.flops / 1e6)]
        if workload.flops < 1e4:
            cells[1] = f"{workload.flops / 1e6:.4f}"
        best = min(line.median, key=line.median.__getitem__)
        for peer in there:
            cell = digits(line.median[peer]) if peer in line.median else ""
            cells.append(f"**{cell}**" if peer == best else cell)
        cells.append("" if line.ratio is None else f"{line.ratio:.2f}")
        body.append([*cells, "" if line.share is None else percent(line.share)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in body)


def part(rows: list[Row], source: str) -> str:
    """The README's part: what was measured on what, and a table for each number of threads."""
    run, found = rows[0], lines(rows)
    versions: dict[str, str] = {}
    for row in rows:
        if row["kind"] == "peer":
            versions.update(row["versions"])
    isa = versions.pop("isa", "unknown")
    versions.pop("numerics", None)
    top = ", ".join(
        f"{gflops:.0f} GFLOP/s ({dtype}, {threads} {'core' if threads == 1 else 'cores'})"
        for (dtype, threads), gflops in sorted(peaks(rows).items())
    )
    missing = sorted({PEERS[row["peer"]][2] for row in rows if row["kind"] == "missing"})
    text = [
        f"Microseconds for one training step, the median of {run['rounds']} windows of about "
        f"{run['window']} s, all peers in turn. {run['cpu']}, {run['date'][:10]}, Python "
        f"{run['python']}, {', '.join(f'{name} {v}' for name, v in versions.items())}; ironmlp ran "
        f"{isa}. Every peer's losses were first found equal to a float64 reference's. "
        + (f"The multiply-add peak, measured in the same run: {top}. " if top else "")
        + (f"Not installed, so not measured: {', '.join(missing)}. " if missing else "")
        + f"The raw rows are in [{source}]({source})."
    ]
    for threads in sorted({line.threads for line in found}):
        text += [f"{counted(threads)}:", table(found, threads)]
    text.append(f"![Time of the peers over that of ironmlp]({CHART.relative_to(ROOT).as_posix()})")
    return "\n\n".join(text)


def rewritten(readme: str, text: str) -> str:
    """`readme` with `text` between the two marks; ValueError if they are not there once each."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"README.md must hold {BEGIN} and {END} once each")
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{END} is above {BEGIN} in README.md")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def draw(found: list[Line], path: Path) -> None:
    """A panel for each number of threads: how many times ironmlp's time each peer takes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    counts = sorted({line.threads for line in found})
    figure, panels = plt.subplots(
        len(counts), 1, figsize=(10, 3.6 * len(counts)), squeeze=False, layout="constrained"
    )
    for count, axes in zip(counts, panels[:, 0], strict=True):
        shown = [line for line in found if line.threads == count and "ironmlp" in line.median]
        others = [p for p in PEERS if p != "ironmlp" and any(p in line.median for line in shown)]
        width = 0.8 / max(1, len(others))
        for number, peer in enumerate(others):
            bars = [
                (at, line.median[peer] / line.median["ironmlp"])
                for at, line in enumerate(shown)
                if peer in line.median
            ]
            places = [at + (number - (len(others) - 1) / 2) * width for at, _ in bars]
            axes.bar(places, [ratio for _, ratio in bars], width, bottom=0, label=PEERS[peer][2])
        axes.axhline(1, color="black", linewidth=1)
        axes.set_yscale("log")
        axes.set_ylabel("time / ironmlp's time")
        axes.set_title(counted(count))
        axes.set_xticks(range(len(shown)), [line.workload for line in shown])
        axes.grid(axis="y", alpha=0.3)
    panels[0, 0].legend(ncols=5, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def newest() -> Path:
    """The last file of peers.py in benches/results/; names of whole runs begin with the date."""
    files = sorted(RESULTS.glob("[0-9]*.jsonl"))
    if not files:
        raise ValueError(f"{RESULTS} holds no results: python benches/peers.py makes them")
    return files[-1]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "file", type=Path, nargs="?", help="rows of peers.py; the newest if missing"
    )
    parser.add_argument("--print", action="store_true", help="show the part and write nothing")
    arguments = parser.parse_args()
    try:
        path = (arguments.file or newest()).resolve()
        rows = read(path)
        if rows[0]["quick"] and not arguments.print:
            raise ValueError(f"{path} is of a quick run, whose times are not for the README")
        if any(BY_NAME[name].image for name in rows[0]["networks"]) and not arguments.print:
            raise ValueError(
                f"{path} is of networks of images, which are not in the README's table"
            )
        inside = path.is_relative_to(ROOT)
        text = part(rows, path.relative_to(ROOT).as_posix() if inside else path.name)
        if arguments.print:
            print(text)
            return 0
        if not inside:
            raise ValueError(f"{path} must lie in the repository, as the README points to it")
        readme = rewritten(README.read_text("utf-8"), text)
        draw(lines(rows), CHART)
        README.write_text(readme, "utf-8")
    except ValueError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    print(f"{README.relative_to(ROOT)} and {CHART.relative_to(ROOT)} from {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
