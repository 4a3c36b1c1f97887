#!/usr/bin/env bash
# A short session under valgrind's memcheck, which sees reads of what was never written too:
#
#   tests/sanitizers/valgrind.sh PYTHON
#
# PYTHON is an interpreter that has ironmlp. Memcheck knows no AVX-512, and so the package does not see
# it there; small objects come from malloc, where memcheck sees them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PYTHONMALLOC=malloc exec valgrind --quiet --suppressions=valgrind.supp --error-exitcode=9 \
  --num-callers=30 "$1" session.py
