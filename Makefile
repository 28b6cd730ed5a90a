# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test lint bench clean lock

install: $(STAMP)

# Every package is pinned by version and hash; the project itself is installed without looking for anything more.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q $(VENV)/lib || true
	touch $(STAMP)

demo: install
	$(BIN)/rapport run configs/complete_journey.yaml

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python benchmarks/quick_try.py
	$(BIN)/python benchmarks/shap.py

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info

# The pins anew, from what pyproject.toml asks for (needs uv).
lock:
	uv pip compile pyproject.toml --extra test --python-platform linux --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-package rapport -o constraints.txt
