"""Where memory runs out a MemoryError leaves the model as it was; see memory_limits.py."""

import os
import sys

import pytest

import processes

# Limits for each call; IRONMLP_MEMORY_TRIES=300 goes through many more.
TRIES = int(os.environ.get("IRONMLP_MEMORY_TRIES", "4"))


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="limits the address space of a process: needs Linux",
)
def test_no_call_ends_the_process_or_changes_the_model() -> None:
    source = f"""
        import runpy, sys

        sys.argv = ["memory_limits.py", "{TRIES}"]
        runpy.run_path("memory_limits.py", run_name="__main__")
    """
    found: dict[str, dict[str, object]] = {}
    for line in processes.run(source, seconds=60.0 + 60 * TRIES):
        found |= line
    assert not [result["wrong"] for result in found.values() if result["wrong"]]
    # The limits do bite.
    unlimited = [name for name, result in found.items() if not result["refused"]]
    assert len(found) >= 30
    assert len(unlimited) <= len(found) // 4, unlimited
