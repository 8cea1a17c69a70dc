# make demo   the whole way on people that the project draws itself
# make test   the test suite
# make env    only what both begin with: .venv with all that is needed
PYTHON ?= python3
SEED ?= 0
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: env demo test clean

env: $(STAMP)

$(STAMP): requirements/runtime.txt requirements/openmmlab.txt \
          requirements/tests.txt requirements/constraints.txt setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check \
	    -c requirements/constraints.txt \
	    -r requirements/runtime.txt -r requirements/tests.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	    -r requirements/openmmlab.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

demo: $(STAMP)
	$(BIN)/python tools/demo.py --seed $(SEED)

test: $(STAMP)
	$(BIN)/python -m pytest -q --durations=10 tests

clean:
	rm -rf .venv build dist *.egg-info
