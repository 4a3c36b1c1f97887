"""`python -m ironmlp demo [--json]`: the classic examples, beside plain NumPy."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ironmlp")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo", help="train XOR and handwritten digits, and compare with plain NumPy"
    )
    demo.add_argument("--json", action="store_true", help="print the results as one JSON object")
    parsed = parser.parse_args(arguments)

    from ironmlp._demo import run_demo

    run_demo(as_json=parsed.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
