"""Writes python/ironmlp/data/hashes.json: what training makes of the self-check's networks.

    python tests/golden/make_hashes.py
    python tests/golden/make_hashes.py --seen selfcheck.json [--emulated]

Run the first with the wheel of this tree installed. Every network is trained on each instruction
set of this host, with 1, 2, 3 and 7 threads, all of which take part, by every route through the
code. The file is written only if all give the same bits, and if no hash that it has changes under
the same version of the numerics. A network that was itself changed has its lines deleted by hand
before.

The second notes a machine that has given these hashes, from what `python -m ironmlp selfcheck
--json` printed there; it needs no ironmlp here.

The file has "numerics", the version of the formulas; "compared", the instruction sets that have
given these hashes, by the kind of machine; and "hashes", one for each network and dtype.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Hashes = dict[str, str]

PATH = Path(__file__).resolve().parents[2] / "python" / "ironmlp" / "data" / "hashes.json"

THREADS = (1, 2, 3, 7)
ROUTES = ("auto", "general", "unfused", "columns", "slabs:256", "slabs:512")

# Names of one kind of machine on Linux, Windows and macOS.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def trained() -> dict[str, Hashes]:
    """The hashes of this process's instruction set, by threads and route."""
    from ironmlp._commands.selfcheck_networks import CASES

    return {
        f"{threads} threads, {route}": {
            name: network.trained(dtype, n_threads=threads, route=route)
            for name, (network, dtype) in CASES.items()
        }
        for threads, route in itertools.product(THREADS, ROUTES)
    }


def trained_on(isa: str) -> dict[str, Hashes]:
    """The same on another instruction set, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--print"],
        env=os.environ | {"IRONMLP_ISA": isa},
        stdout=subprocess.PIPE,
        check=True,
    )
    return {f"{isa}, {way}": hashes for way, hashes in json.loads(done.stdout).items()}


def agreed(found: Mapping[str, Hashes]) -> Hashes:
    """The hashes that all ways give; ValueError names the ways that give others."""
    first, *others = found
    for way in others:
        for name, value in found[way].items():
            if value != found[first][name]:
                raise ValueError(f"{name}: {value} by {way}, {found[first][name]} by {first}")
    return found[first]


def renewed(kept: dict[str, Any], hashes: Hashes, config: Mapping[str, Any]) -> dict[str, Any]:
    """The file's new content; ValueError if a hash changes though the numerics do not."""
    same = kept["numerics"] == config["numerics"]
    changed = [name for name, value in hashes.items() if kept["hashes"].get(name, value) != value]
    if same and changed:
        raise ValueError(f"other bits under numerics {config['numerics']}: {'; '.join(changed)}")
    machine = name_of(platform.machine())
    # What was compared before holds for these hashes only if none of them is new.
    compared = dict(kept["compared"]) if same and kept["hashes"] == hashes else {}
    compared[machine] = sorted({*compared.get(machine, []), *config["isas"]})
    return {"numerics": config["numerics"], "compared": compared, "hashes": hashes}


def name_of(machine: str, emulated: bool = False) -> str:
    """How the file calls a kind of machine."""
    machine = MACHINES.get(machine.lower(), machine.lower())
    return f"{machine} (emulated)" if emulated else machine


def noted(kept: dict[str, Any], seen: Mapping[str, Any], emulated: bool) -> dict[str, Any]:
    """The file's content with another machine; ValueError if its self-check gave other bits."""
    if not seen["ok"] or seen["numerics"] != kept["numerics"] or seen["hashes"] != kept["hashes"]:
        raise ValueError(f"the self-check gave other bits: {'; '.join(seen['different'])}")
    machine = name_of(seen["machine"], emulated)
    isas = sorted({*kept["compared"].get(machine, []), seen["isa"]})
    return {**kept, "compared": {**kept["compared"], machine: isas}}


def write(content: dict[str, Any]) -> None:
    PATH.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def make() -> int:
    """Write this host's hashes; 0 if all ways agree."""
    import ironmlp as im

    config = im.config()
    kept = {"numerics": 0, "compared": {}, "hashes": {}}
    if PATH.exists():
        kept = json.loads(PATH.read_text("utf-8"))
    found = {way: hashes for isa in config["isas"] for way, hashes in trained_on(isa).items()}
    try:
        content = renewed(kept, agreed(found), config)
    except ValueError as error:
        print(f"not written: {error}", file=sys.stderr)
        return 1
    write(content)
    print(f"{len(content['hashes'])} hashes, the same by all {len(found)} ways: {PATH.name}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the hashes of the self-check's networks.")
    parser.add_argument("--print", action="store_true", help="this process's hashes, as JSON")
    parser.add_argument("--seen", type=Path, help="note the machine of a self-check's JSON")
    parser.add_argument("--emulated", action="store_true", help="that machine was emulated")
    given = parser.parse_args()
    if given.print:
        json.dump(trained(), sys.stdout)
        return 0
    if given.seen is None:
        return make()
    seen = json.loads(given.seen.read_text("utf-8"))
    write(noted(json.loads(PATH.read_text("utf-8")), seen, given.emulated))
    print(f"{len(seen['hashes'])} hashes equal on {name_of(seen['machine'], given.emulated)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
