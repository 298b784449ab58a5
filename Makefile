# Everything there is to do with a checkout. `make demo` and `make test` set up what they need, once (see .ci/setup).
#
#   VENV=DIR      where the virtual environment is (default .venv)
#   PYTHON=CMD    which Python it is made with (default: the first one that is new enough)

VENV ?= .venv
export VENV PYTHON
BIN = $(VENV)/bin

.PHONY: demo test check dev lint types bench clean

demo: dev  ## three commands contend for one lock
	@PATH="$(abspath $(BIN)):$$PATH" sh docs/demo.sh

test: lint types  ## everything that must be true before a commit
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal --benchmark-disable tests bench

check: test

dev:
	@sh .ci/setup

lint: dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: dev
	$(BIN)/mypy

bench:  ## Holdfast beside the others; it writes docs/performance.md
	@sh .ci/setup-bench
	$(VENV)-bench/bin/python -m pytest bench

clean:  ## what the tools left behind; not the virtual environment
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
