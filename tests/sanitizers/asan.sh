#!/usr/bin/env bash
# All tests in Rust and in Python under AddressSanitizer, on Linux x86-64: make asan.
#
#   tests/sanitizers/asan.sh PYTHON [rust] [python] [fuzz]      (none: all three)
#
# PYTHON is the interpreter of an environment with the `test` extra. The compiler is a stable one, which
# has the sanitizer and its runtime library, and is only to be told that it may. A Python interpreter
# has no such runtime: a shared library is made of the compiler's own, and loaded before all else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$(realpath -s "$1"); shift
(($#)) || set -- rust python fuzz
target=x86_64-unknown-linux-gnu
out=$PWD/target/asan

export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$out PYO3_PYTHON=$python PYO3_BUILD_EXTENSION_MODULE=1
export RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" RUSTDOCFLAGS="-Zsanitizer=address"
# Level 1 compiles in half the time; overflow checks and debug assertions stay on.
export CARGO_PROFILE_DEV_OPT_LEVEL=1
# A failed allocation is an error of ours, and not the sanitizer's; Python frees little at its end.
export ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1

rust() {
  # Workers of the pool and what they hold live as long as the process, by design.
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 cargo test --locked --target $target
}

extension() {
  cargo build --locked --features python --lib --target $target
  rm -rf "$out/site" && mkdir -p "$out/site" "$out/runtime"
  cp -r python/ironmlp "$out/site/"
  cp "$out/$target/debug/libironmlp.so" "$out/site/ironmlp/_core.abi3.so"
  # The runtime is for programs: without the part that calls it before `main` it is a library, which
  # must not be called libasan, the name by which it looks for others of its kind. It looks for the
  # exceptions of C++ at the start, so that library is loaded with it; matplotlib throws some.
  cp "$(rustc --print sysroot)/lib/rustlib/$target/lib/librustc-stable_rt.asan.a" "$out/runtime/rt.a"
  chmod u+w "$out/runtime/rt.a"
  while ar t "$out/runtime/rt.a" | grep -q preinit; do ar d "$out/runtime/rt.a" asan_preinit.cpp.o; done
  cc -shared -o "$out/runtime/sanitizer.so" -Wl,--whole-archive "$out/runtime/rt.a" \
    -Wl,--no-whole-archive,--no-as-needed -lpthread -ldl -lm -lrt -lstdc++
}

# With Python's small objects from malloc, where the sanitizer sees them.
under_asan() {
  env PYTHONPATH="$out/site" PYTHONMALLOC=malloc LD_PRELOAD="$out/runtime/sanitizer.so" \
    ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" "$@"
}

# Files about the wheel, its functions, other programs and their speed say nothing of memory; limits of
# the address space leave no room for the sanitizer's shadow, and resident memory is not the program's.
left_out=(test_outlined test_package test_layering test_assertions test_docs test_benches
  test_benches_cracks test_benches_threads test_hostile_memory test_memory test_memory_limits)

python() {
  extension
  under_asan "$python" -c 'import ironmlp, sys; sys.exit("target/asan" not in ironmlp.__file__)'
  planted
  local ignored=("${left_out[@]/#/--ignore=tests/}")
  under_asan "$python" -m pytest -p no:cacheprovider "${ignored[@]/%/.py}"
}

# What the run is worth: a write past the end of an array of NumPy's is seen.
planted() {
  if under_asan "$python" -c 'import ctypes, numpy as np
a = np.zeros(100); ctypes.memset(a.ctypes.data, 0, a.nbytes + 1)' 2> "$out/planted.txt"; then
    echo "a write past the end of an array was not seen"; exit 1
  fi
  grep -q "AddressSanitizer: heap-buffer-overflow" "$out/planted.txt"
}

fuzz() {
  [ -e "$out/site" ] || extension
  under_asan "$python" tests/fuzz.py --cases 2000 --seed 17
}

for part in "$@"; do
  echo "== $part under AddressSanitizer"
  "$part"
done
