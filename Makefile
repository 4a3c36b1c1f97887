# Needs Python 3.11 or newer (with venv) and Rust 1.89 or newer; everything else is
# installed into virtual environments inside this directory:
#   .venv-build  maturin, which builds the wheel
#   .venv        NumPy and the wheel: what a user has
#   .venv-test   the wheel with its `test` extra, and the linters
#   .venv-dev    the working tree with the same, for quick tries
#   .venv-bench  the wheel with its `bench` extra: the libraries to compare with
# Each holds a file `ready`, newer than what was installed last, so that a second run
# of a target rebuilds only what has changed.

PYTHON ?= python3
MAX_WHEEL_BYTES := 2900000
# Of tests/fuzz.py
CASES ?= 1000
SEED ?= 0
# Of pytest, for make dev: files, or any of its arguments
TESTS ?=
# Of benches/peers.py, lenet.py and updates.py: make bench BENCH_FLAGS=--quick
BENCH_FLAGS ?=

SOURCES := Cargo.toml Cargo.lock pyproject.toml README.md LICENSE \
  $(shell find rust python -type f -not -name '*.pyc' -not -name '_core*.so' -not -name '_core*.pyd')
WHEEL := target/wheel/ready

# cargo and maturin must not each pick an interpreter: PyO3 would be built twice.
export PYO3_PYTHON := $(CURDIR)/.venv-build/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/ready ## Build ironmlp and run its demonstration (NumPy alone is needed)
	.venv/bin/python -m ironmlp demo

.PHONY: test
test: lint ## Run every check: the linters, the tests in Rust, the tests in Python
	cargo test --locked
	.venv-test/bin/pytest --numprocesses auto --dist loadfile

.PHONY: lint
lint: .venv-test/ready ## Check format, style, types, stubs and layering
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features python -- -D warnings
	.venv-test/bin/ruff check
	.venv-test/bin/ruff format --check
	.venv-test/bin/mypy python/ironmlp
	.venv-test/bin/python -m mypy.stubtest --allowlist tests/stubtest.allowlist ironmlp._core
	.venv-test/bin/python tests/layering.py

.PHONY: dev
dev: .venv-dev/ready ## Build the working tree quickly and run tests: make dev TESTS=tests/test_fit.py
	VIRTUAL_ENV=$(CURDIR)/.venv-dev .venv-build/bin/maturin develop --quiet --locked --profile quick
	.venv-dev/bin/pytest --deselect tests/test_package.py::test_tests_run_against_the_installed_package $(TESTS)

.PHONY: bench
bench: .venv-bench/ready ## Time training, prediction and import beside other libraries
	.venv-bench/bin/python benches/peers.py $(BENCH_FLAGS)
	.venv-bench/bin/python benches/lenet.py $(BENCH_FLAGS)
	.venv-bench/bin/python benches/updates.py $(BENCH_FLAGS)
	.venv-bench/bin/python benches/sklearn_mlp.py
	.venv-bench/bin/python benches/sklearn_jobs.py
	.venv-bench/bin/python benches/predict.py
	.venv-bench/bin/python benches/import_time.py
	.venv-bench/bin/python benches/memory.py
	.venv-bench/bin/python benches/growth.py
	.venv-bench/bin/python benches/sharing.py
	.venv-bench/bin/python benches/fits.py
	.venv-bench/bin/python benches/scaling.py

.PHONY: dist
dist: $(WHEEL) ## Make the wheel and the sdist in dist/, and check both
	rm -rf dist target/dist
	mkdir -p dist
	cp target/wheel/*.whl dist/
	.venv-build/bin/maturin sdist --out dist
	@bytes=$$(cat dist/*.whl | wc -c); echo "wheel: $$bytes bytes, at most $(MAX_WHEEL_BYTES)"; \
	  test $$bytes -le $(MAX_WHEEL_BYTES)
	$(PYTHON) -m venv target/dist/venv
	target/dist/venv/bin/pip install --quiet dist/*.whl
	@installed=$$(target/dist/venv/bin/pip list --format=freeze --exclude pip --exclude setuptools \
	  | cut -d= -f1 | sort | tr '\n' ' '); echo "installed with the wheel: $$installed"; \
	  test "$$installed" = "ironmlp numpy "
	cd target/dist && venv/bin/python -m ironmlp selfcheck
	target/dist/venv/bin/pip wheel --quiet --no-deps --wheel-dir target/dist/from-sdist dist/*.tar.gz
	ls -l dist target/dist/from-sdist

.PHONY: asan
asan: .venv-test/ready ## Run all tests under AddressSanitizer (Linux; hours)
	tests/sanitizers/asan.sh .venv-test/bin/python

.PHONY: valgrind
valgrind: .venv-test/ready ## Run a short session under valgrind
	tests/sanitizers/valgrind.sh .venv-test/bin/python

.PHONY: fuzz
fuzz: .venv-test/ready ## Try random programs: make fuzz CASES=100000 SEED=1
	.venv-test/bin/python tests/fuzz.py --cases $(CASES) --seed $(SEED)

.PHONY: aarch64
aarch64: ## Build for aarch64 on Debian, and compare its hashes under an emulator
	tests/aarch64.sh

.PHONY: clean
clean: ## Remove everything that the other targets made
	rm -rf target dist .venv .venv-build .venv-test .venv-dev .venv-bench
	rm -f python/ironmlp/_core.abi3.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find python tests benches examples -name __pycache__ -prune -exec rm -rf {} +

# $(1): directory. Kept when it exists: installing over it is quicker.
define venv
@$(PYTHON) -c 'import sys; sys.exit("ironmlp needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
test -x $(1)/bin/pip || $(PYTHON) -m venv $(1)
endef

# pip takes a wheel of the same version for installed, hence the removal first.
# $(1): directory, $(2): extras
define install
$(call venv,$(1))
@echo "Installing ironmlp$(2) into $(1)"
$(1)/bin/pip uninstall --quiet --yes ironmlp
$(1)/bin/pip install --quiet "$$(echo $(CURDIR)/target/wheel/*.whl)$(2)"
touch $(1)/ready
endef

.venv-build/ready: pyproject.toml
	@command -v cargo > /dev/null || { echo "ironmlp needs Rust 1.89 or newer: https://rustup.rs"; exit 1; }
	$(call venv,.venv-build)
	@echo "Installing maturin, which builds the wheel, into .venv-build"
	.venv-build/bin/pip install --quiet 'maturin>=1.9.4,<2'
	touch $@

$(WHEEL): $(SOURCES) .venv-build/ready
	@echo "Building ironmlp with all optimisations: one to two minutes on two cores, most of them in the last crate."
	rm -rf target/wheel
	.venv-build/bin/maturin build --release --interpreter $(PYO3_PYTHON) --compression-level 9 \
	  --out target/wheel
	touch $@

.venv/ready: $(WHEEL)
	$(call install,.venv)

.venv-test/ready: $(WHEEL)
	$(call install,.venv-test,[test])

.venv-bench/ready: $(WHEEL)
	$(call install,.venv-bench,[bench])

.venv-dev/ready: pyproject.toml .venv-build/ready
	$(call venv,.venv-dev)
	@echo "Installing what the tests need into .venv-dev"
	.venv-dev/bin/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  print(*project["dependencies"], *project["optional-dependencies"]["test"], sep="\n")' \
	  | .venv-dev/bin/pip install --quiet --requirement /dev/stdin
	touch $@
