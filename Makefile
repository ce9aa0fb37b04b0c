# Everything starts here: `make demo` and `make test` set the machine up themselves.
.DEFAULT_GOAL := help
VENV := .venv
READY := $(VENV)/.ready
PY := $(VENV)/bin/python

.PHONY: help setup demo test check bench docs lock lab clean

help:        ## show these lines
	@grep -hE '^[a-z]+: .*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 16

$(READY): pyproject.toml setup.py requirements.lock scripts/setup.sh scripts/recipes.sh $(wildcard muse_nb/kernels/*.[ch])
	@bash scripts/setup.sh $(VENV)
	@touch $@

setup: $(READY)  ## system packages, .venv and the project in it

demo: $(READY)   ## a simulated night from raw frames to a combined cube and rendered notebooks, in demo/
	@$(VENV)/bin/muse-nb demo -o demo

test: $(READY)   ## all tests
	@bash scripts/test.sh $(VENV)

check: $(READY)  ## lint, format and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

bench: $(READY)  ## speed and memory against the recipes and the tools that people use
	@$(PY) -m benchmarks

docs: $(READY)   ## the documentation, in build/docs/index.html
	@bash scripts/docs.sh $(VENV)

lock:            ## pin the newest versions again (requirements.lock)
	@bash scripts/lock.sh

lab: $(READY)    ## JupyterLab on the notebooks
	@$(VENV)/bin/muse-nb lab

clean:       ## remove the environment and what the demo made
	rm -rf $(VENV) demo build docs/generated *.egg-info muse_nb/kernels/*.so
