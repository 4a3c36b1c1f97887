"""`python -m ironmlp demo`, `selfcheck` and `--version`; `--help` lists their options."""

from __future__ import annotations

import argparse
import sys

from ironmlp import __version__


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ironmlp")
    parser.add_argument("--version", action="version", version=f"ironmlp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo", help="train XOR and handwritten digits, and compare with plain NumPy"
    )
    demo.add_argument("--json", action="store_true", help="print the results as one JSON object")
    selfcheck = commands.add_parser(
        "selfcheck",
        help="train small networks and compare their bits with the hashes in the package, and "
        "their gradients with plain NumPy; exit status 1 if anything differs",
    )
    selfcheck.add_argument("--json", action="store_true", help="print one JSON object")
    selfcheck.add_argument(
        "--threads",
        type=numbers,
        metavar="N,N,...",
        help="numbers of threads to train with (1, and the number in use)",
    )
    parsed = parser.parse_args(arguments)

    if parsed.command == "selfcheck":
        from ironmlp._commands.selfcheck import run_selfcheck

        return run_selfcheck(parsed.threads, as_json=parsed.json)
    from ironmlp._commands.demo import run_demo

    run_demo(as_json=parsed.json)
    return 0


def numbers(text: str) -> list[int]:
    """Numbers of threads, as they stand on the command line: "1,2,7"."""
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"threads are {text}, each must be at least 1")
    return found


if __name__ == "__main__":
    sys.exit(main())
