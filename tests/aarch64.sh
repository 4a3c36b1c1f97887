#!/usr/bin/env bash
# Builds the wheel for aarch64 on x86-64 Debian 12 and compares its bits under emulation: make aarch64.
#
#   tests/aarch64.sh [fetch] [wheel] [check] [core]      (none: fetch wheel check)
#
#   fetch  the compilers, emulator, and an aarch64 Python with NumPy, into target/aarch64
#   wheel  the wheel, cross-compiled by Debian's own rustc and gcc
#   check  the self-check of that wheel, with one thread and two; that it gave all hashes of the
#          package is noted beside them, in python/ironmlp/data/hashes.json
#   core   the core's tests, but for those that fork (takes an hour)
#
# Needs cargo, apt-get and Python 3.11 or newer with venv, and not root: packages are unpacked and not
# installed. Nothing is fetched twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=aarch64-unknown-linux-gnu
work=$PWD/target/aarch64
tools=$work/host/usr
python=${PYTHON:-python3}
(($#)) || set -- fetch wheel check

host_packages=(
  rustc-web libstd-rust-web-1.96 libstd-rust-web-dev libllvm22 libstd-rust-web-dev:arm64
  gcc-12-aarch64-linux-gnu cpp-12-aarch64-linux-gnu libgcc-12-dev-arm64-cross libgcc-s1-arm64-cross
  binutils-aarch64-linux-gnu libc6-dev-arm64-cross libc6-arm64-cross qemu-user libcapstone4
)
arm_packages=(
  libc6 libgcc-s1 libstdc++6 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libexpat1
  zlib1g libssl3 libcrypt1 libffi8 liblzma5 libbz2-1.0
)

fetch() {
  [ -e "$work/fetched" ] && return
  mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial} "$work"/{debs/host,debs/arm64,bin}
  # Lists of packages of its own: the host's dpkg need not know arm64.
  : > "$work/apt/status"
  cat > "$work/apt/apt.conf" << CONF
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
  export APT_CONFIG=$work/apt/apt.conf
  apt-get -qq update
  (cd "$work/debs/host" && apt-get -qq download "${host_packages[@]}")
  (cd "$work/debs/arm64" && apt-get -qq download "${arm_packages[@]/%/:arm64}")
  local package
  for package in "$work"/debs/host/*.deb; do dpkg -x "$package" "$work/host"; done
  for package in "$work"/debs/arm64/*.deb; do dpkg -x "$package" "$work/arm64"; done
  # The linker's script has the paths of an installed package.
  sed -i 's|/usr/aarch64-linux-gnu/lib/||g' "$tools/aarch64-linux-gnu/lib/libc.so"
  "$python" -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet 'maturin>=1.9.4,<2'
  "$work/venv/bin/pip" download --quiet --no-deps --only-binary=:all: --dest "$work/wheels" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux2014_aarch64 --python-version 3.11 --implementation cp --abi cp311 'numpy>=2'
  "$python" -m zipfile -e "$work"/wheels/numpy-*.whl "$work/arm64/site"
  program rustc 'exec $tools/bin/rustc "$@"'
  program qemu-aarch64 'unset OPENBLAS_CORETYPE
exec $tools/bin/qemu-aarch64 -L $work/arm64 -E LD_LIBRARY_PATH= "$@"'
  program python-aarch64 'PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$work/arm64/site \
  exec $work/bin/qemu-aarch64 $work/arm64/usr/bin/python3.11 -s "$@"'
  touch "$work/fetched"
}

# A command in target/aarch64/bin: its name, and what it does with the unpacked libraries.
program() {
  local body=${2//\$tools/$tools}
  printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s\n%s\n' "$tools/lib/x86_64-linux-gnu" \
    "${body//\$work/$work}" > "$work/bin/$1"
  chmod +x "$work/bin/$1"
}

cross() {
  export RUSTC=$work/bin/rustc CARGO_TARGET_DIR=$work/build PYO3_NO_PYTHON=1
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$tools/bin/aarch64-linux-gnu-gcc-12
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$work/bin/qemu-aarch64
}

wheel() (
  cross
  unset PYO3_PYTHON
  rm -rf "$work/dist" "$work"/arm64/site/ironmlp*
  "$work/venv/bin/maturin" build --release --target $target --compatibility linux --out "$work/dist"
  "$python" -m zipfile -e "$work"/dist/*.whl "$work/arm64/site"
)

check() (
  cd "$work" # away from the sources
  bin/python-aarch64 -m ironmlp selfcheck --threads 1,2 --json > selfcheck.json
  "$python" "$OLDPWD/tests/golden/make_hashes.py" --seen selfcheck.json --emulated
)

# The emulator of Debian 12 cannot fork a process of several threads.
core() (
  cross
  unset PYO3_PYTHON
  cargo test --locked --target $target --lib --test core --test pool -- --skip fork --skip child
)

for step in "$@"; do
  echo "== $step"
  "$step"
done
