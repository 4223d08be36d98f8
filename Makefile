# coachworks: one command for each thing a person does here; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# pip reads PIP_FIND_LINKS; uv has a variable of its own for the same thing.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True
export NO_ALBUMENTATIONS_UPDATE := 1
export NO_MKDOCS_2_WARNING := 1
# Python keeps what it compiles: otherwise each of the hundreds of processes of the tests compiles its libraries anew.
unexport PYTHONDONTWRITEBYTECODE
# One file's tests stay in one process, so that each heavy library and each module's fixtures are loaded once.
# Three workers on two cores: many tests wait for servers and processes.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || { echo "» making a virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "» installing the locked requirements (a minute at most)"
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
# uv compares a hash only where the version is the wheel's in full: 2.13.0+cpu where a CPU build is offered.
	@torch=$$(grep -o '^torch==[^ ]*' requirements.lock | \
	    $(BIN)/uv pip compile --quiet --python $(BIN)/python --no-deps --no-header --no-annotate --no-emit-find-links --no-emit-index-url -) && \
	  sed "s/^torch==[^ ]*/$$torch/" requirements.lock > $(VENV)/requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r $(VENV)/requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.PHONY: help setup demo test test-all test-data test-hostile test-cluster test-cluster-core lint format types contracts licences sbom docs check checkov lock golden bench bench-photos clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

setup: $(READY)  ## Set up the virtual environment, if it is not

demo: $(READY)  ## Draw a showroom, train its five skills, serve them, ask about three photos
	@$(BIN)/coachworks demo showroom

# helm for the charts' tests, where there is none; they are skipped where it cannot be had.
$(BIN)/helm: | $(READY)
	@command -v helm >/dev/null || { echo "» getting helm for the charts' tests"; $(BIN)/python tests/support/get_helm.py $@; } || true
$(BIN)/helm3: | $(READY)
	@$(BIN)/python tests/support/get_helm.py $@ || true

test: $(READY) | $(BIN)/helm $(BIN)/helm3  ## The default tests: no network, no cluster, no GPU
	@echo "» running the tests"
	@$(BIN)/python -m pytest -q $(PARALLEL)

test-all: $(READY) | $(BIN)/helm $(BIN)/helm3  ## The default tests and the slow ones
	@$(BIN)/python -m pytest -q $(PARALLEL) --hypothesis-profile default -m "not hostile and not cluster and not gpu and not data"

test-data: $(READY)  ## The tests on real photos; COACHWORKS_DATA names their folder
	@$(BIN)/python -m pytest -q -m data -rs

test-hostile: $(READY)  ## Attacks: crafted files, damaged stores, overload; UPDATE_GOLDEN=1 writes docs/guide/security.md's table
	@$(BIN)/python -m pytest -q -m hostile -rs --durations=12

test-cluster: $(READY) | $(BIN)/helm $(BIN)/helm3  ## All tests on a real cluster; COACHWORKS_LAB names the folder of the scripts that start one
	@$(BIN)/python -m pytest -q -m cluster -rs --durations=12

test-cluster-core: $(READY) | $(BIN)/helm $(BIN)/helm3  ## Its core: a submitted run, a deployment with canary and rollback, the platform chart
	@$(BIN)/python -m pytest -q -m "cluster and core" -rs --durations=12

lint: $(READY)  ## ruff, formatting included
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY)  ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(READY)  ## mypy --strict
	@$(BIN)/mypy

contracts: $(READY)  ## Which package may import which
	@$(BIN)/lint-imports

licences: $(READY)  ## The licences of the packages in the images; tests/licences.toml says which are allowed. Part of `make test`
	@$(BIN)/python -m pytest -q -n0 tests/test_licences.py

sbom: $(READY)  ## What each image holds (SBOM), as CycloneDX documents in build/sbom/; docs/guide/images.md adds Debian's packages
	@PYTHONPATH=. $(BIN)/python tests/support/write_sbom.py build/sbom $(IMAGES)

docs: $(READY)  ## Build the documentation into site/
	@$(BIN)/mkdocs build --strict --quiet

check: lint types contracts docs test  ## Everything CI runs

lock: $(READY)  ## Resolve requirements.lock anew from pyproject.toml; UPGRADE=NAME takes the newest release of a package
	@$(BIN)/python tests/support/write_lock.py requirements.lock $(UPGRADE)

checkov:  ## Look for weak settings in the charts; needs helm; charts/checkov.yaml says what is passed over
	@test -x build/checkov/bin/checkov || { $(PYTHON) -m venv build/checkov && \
	  build/checkov/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30; }
	@rm -rf build/rendered && mkdir -p build/rendered
	@for values in charts/*/ci/*.yaml; do \
	  chart=$$(dirname $$(dirname $$values)); name=$$(basename $$chart)-$$(basename $$values); \
	  helm template acme $$chart --namespace mlops --values $$values > build/rendered/$$name || exit 1; done
	@build/checkov/bin/checkov --config-file charts/checkov.yaml --directory build/rendered

golden: $(READY)  ## Write the golden files anew; look at the difference before you commit it
	@UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests -k "golden or schema or openapi"

bench: $(READY)  ## What the speed claims rest on
	@for name in startup adding training/linear_heads training/skills training/memory; do echo "» benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-photos: $(READY)  ## What the accuracy claims rest on; COACHWORKS_DATA names the photos
	@for name in accuracy speed noise; do echo "» benchmarks/training/$$name.py"; $(BIN)/python -m benchmarks.training.$$name || exit 1; done

clean:  ## Remove what was built; the virtual environment too
	rm -rf $(VENV) build dist site showroom .mypy_cache .ruff_cache .pytest_cache
