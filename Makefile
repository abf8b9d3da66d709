# Every target sets up what it needs in the environment .venv and keeps it in step with the lock: `run` and `ui` the
# packages of requirements-small.lock, the others all of requirements.lock. Of what is in both the versions are the same.

PYTHON ?= python3
PORT ?=
PEERS ?=
# Of `make server`; the environment has variables of such names for other purposes.
HOST :=
STORE :=
ARTIFACTS :=
NAME :=
ACCOUNTS :=

STAMP := .venv/.installed
SMALL := .venv/.installed-small
ENOUGH := $(if $(wildcard $(STAMP)),$(STAMP),$(SMALL))
IN_VENV := .venv/bin/python
ROOT := $(CURDIR)

export MLFLOW_DISABLE_TELEMETRY ?= true

.DEFAULT_GOAL := help
.PHONY: help run install test daemons check fuzz torture lint format ui server bench experiments lock clean

help: ## list the targets
	@awk -F ': .*## |: ## ' '/^[a-z]+: .*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(ENOUGH) ## compare BP, logistic and softmax regression on the homework's data
	$(IN_VENV) -m src.run experiments=homework5

install: $(STAMP) ## install all that is locked: Dask, Optuna, PostgreSQL, S3, tests and checks

# Byte code is kept, rewritten assertions among it: without it each of the processes would spend 5 s on the tests' alone.
test check daemons: export PYTHONDONTWRITEBYTECODE :=
# A file's tests run in one process, so that what they share is made once; tests/conftest.py says which files come first.
# Three processes on two cores: many tests wait for a server or a process.
test: $(STAMP) ## run the test suite
	$(IN_VENV) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not daemons"

daemons: $(STAMP) ## run the tests that start the daemons of a cluster (Slurm; as root)
	$(IN_VENV) -m pytest -m daemons tests/test_slurm.py

check: lint ## lint, and the quick tests of engine, comparison, configuration, data and evaluation, between changes
	$(IN_VENV) -m pytest -n 2 --dist worksteal -q -m "not slow" --hypothesis-profile=quick \
	  tests/network tests/comparison tests/config tests/data tests/evaluation

fuzz: $(STAMP) ## try bad command lines and CSV files by the hundred (FUZZ="--kind uri", FUZZ=csv-17)
	$(IN_VENV) -m tests.fuzz $(FUZZ)

torture: $(STAMP) ## kill, starve and mislead sweeps at random moments (TORTURE="--kills 10 --rounds 1")
	$(IN_VENV) -m tests.torture $(TORTURE)

lint: $(STAMP) ## check style, format, types and which room imports which
	$(IN_VENV) -m ruff check
	$(IN_VENV) -m ruff format --check
	$(IN_VENV) -m mypy
	.venv/bin/lint-imports --no-logo

format: $(STAMP) ## format the code and mend what ruff can mend
	$(IN_VENV) -m ruff check --fix-only --exit-zero
	$(IN_VENV) -m ruff format

ui: $(ENOUGH) ## open the results in MLflow on 127.0.0.1 (PORT=5001 for another port than the first free one)
	@$(IN_VENV) -m src.ui $(if $(PORT),--port $(PORT))

# The store's address goes by the environment: everybody on this machine sees a command, and it may hold a password.
server: export SERVER_STORE = $(value STORE)
server: $(STAMP) ## start MLflow's server for a team (HOST=0.0.0.0 PORT=5000 STORE=postgresql://... ARTIFACTS=s3://...)
	@exec $(IN_VENV) -m src.server $(if $(PORT),--port "$(PORT)") $(if $(HOST),--host "$(HOST)") \
	  $(if $(ARTIFACTS),--artifacts "$(ARTIFACTS)") $(if $(NAME),--name "$(NAME)") $(if $(ACCOUNTS),--accounts)

# Run as files: they import their neighbors by plain names. PEERS is a folder that holds torch, jax and what they need.
bench: $(STAMP) ## measure speed beside what others would use, and write README's section on it (20 minutes)
	@PYTHONPATH=.:$(PEERS) $(IN_VENV) tests/benchmarks/bench_engine.py
	@$(IN_VENV) tests/benchmarks/bench_sweep.py
	@$(IN_VENV) tests/benchmarks/show.py

# A store of their own, made anew, so that every number on the page was measured by this command.
experiments: export MLFLOW_TRACKING_URI = sqlite:///$(ROOT)/experiments/.store/mlflow.db
experiments: $(STAMP) ## run every study in experiments/ anew, and write experiments/README.md
	@rm -rf experiments/.store && mkdir experiments/.store
	@for file in experiments/*.yaml; do \
	  $(IN_VENV) -m src.run "experiments=$$(basename "$$file" .yaml)" || exit; done
	@$(IN_VENV) -m tests.simulation
	@$(IN_VENV) -m src.studies

# The second is constrained to the versions of the first. Graphene (of mlflow) names dateutil<3; left alone, the resolver
# takes an older graphene that forgot to say so. (In pyproject.toml, [tool.uv], uv would miss a hash of this constraint.)
lock: COMPILE = echo 'python-dateutil<3' | .venv/bin/uv pip compile pyproject.toml --universal --upgrade --quiet --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --constraint -
lock: $(STAMP) ## resolve requirements.lock and requirements-small.lock anew from pyproject.toml
	$(COMPILE) --extra optuna --extra dask --extra server --extra dev --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock --output-file requirements-small.lock

clean: ## remove .venv, caches and outputs, traces and comparisons among them; the runs (mlflow.db, mlartifacts) stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis outputs multirun
	find src tests hydra_plugins -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP): requirements.lock
$(SMALL): requirements-small.lock

# With uv, where it is found, the same packages come several times faster. pip tells of each package on a line of its
# own; here it is one line, on a terminal, that changes.
# Byte code is compiled here, on all cores: pip would use one, and where PYTHONDONTWRITEBYTECODE is set each start
# of the program would compile MLflow again (5 s).
$(STAMP) $(SMALL):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: Python 3.11 or newer is needed; $(PYTHON) is $$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo missing)." \
	    "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -w . || { \
	  echo "error: this checkout can only be read. In a folder of your own: python3 -m venv .venv &&" \
	    ".venv/bin/python -m pip install -r '$(ROOT)/$<' && export PYTHONPATH='$(ROOT)'" >&2; exit 1; }
	@echo "Installing the packages of $< into .venv, once ..."
	@$(PYTHON) -m venv .venv
	@if command -v uv >/dev/null; then \
	  echo "  downloading and unpacking with uv"; \
	  uv pip install --quiet --python $(IN_VENV) --require-hashes -r $<; \
	else \
	  packages=$$(grep -c == $<); \
	  { $(IN_VENV) -m pip install --progress-bar off --disable-pip-version-check --no-compile --require-hashes -r $<; \
	    echo $$? >.venv/.status; } | while read -r what package rest; do case $$what in \
	      Collecting | Processing) count=$$((count + 1)); package=$${package##*/}; package=$${package%%=*}; \
	        [ ! -t 1 ] || printf '\r  downloading %d of at most %d: %-40.40s' $$count $$packages "$${package%%-[0-9]*}";; \
	      Installing) printf '\r%-79s\n' "  unpacking";; esac; done; \
	  exit $$(cat .venv/.status); \
	fi
	@echo "  compiling"
	@$(IN_VENV) -m compileall -qq -j 0 .venv/lib
	@touch $@
