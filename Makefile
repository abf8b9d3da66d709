# Every target sets up what it needs: the environment .venv is made from requirements.lock and kept in step with it.

PYTHON ?= python3
PORT ?= 5000
PEERS ?=
# Of `make server`; the environment has variables of such names for other purposes.
HOST :=
STORE :=
ARTIFACTS :=
NAME :=
ACCOUNTS :=

STAMP := .venv/.installed
IN_VENV := .venv/bin/python
ROOT := $(CURDIR)

export MLFLOW_DISABLE_TELEMETRY ?= true

.DEFAULT_GOAL := help
.PHONY: help run test check fuzz torture lint format ui server bench experiments lock clean

help: ## list the targets
	@awk -F ': .*## |: ## ' '/^[a-z]+: .*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(STAMP) ## compare BP, logistic and softmax regression on the homework's data
	$(IN_VENV) -m src.run experiments=homework5

# A process that has run out of tests takes half of what the other has left (worksteal).
test: $(STAMP) ## run the whole test suite
	$(IN_VENV) -m pytest -n 2 --dist worksteal

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

# The server is for one person on this machine: one address, two workers, no job queue (which takes 2 GB).
# The artifact root is a folder, so that runs made with and without the server keep their files in one place.
ui: $(STAMP) ## open the results in MLflow on 127.0.0.1 (PORT=5000)
	@case "$$MLFLOW_TRACKING_URI" in http*) \
	  echo "The runs are on $$MLFLOW_TRACKING_URI (MLFLOW_TRACKING_URI): open it in a browser."; exit 0;; esac; \
	$(IN_VENV) -c 'import socket, sys; sys.exit(socket.socket().connect_ex(("127.0.0.1", $(PORT))) == 0)' || { \
	  echo "error: something answers on port $(PORT) already, perhaps another store's pages. Name another: make ui PORT=5001" >&2; exit 2; }; \
	echo "MLflow: http://127.0.0.1:$(PORT)  (Ctrl-C ends it)"; \
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false PYTHONWARNINGS=ignore exec $(IN_VENV) -m mlflow server \
	  --host 127.0.0.1 --port $(PORT) --workers 2 --uvicorn-opts "--log-level warning" \
	  --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(ROOT)/mlflow.db}" \
	  --default-artifact-root "$(ROOT)/mlartifacts"

# The store's address goes by the environment: everybody on this machine sees a command, and it may hold a password.
server: export SERVER_STORE = $(value STORE)
server: $(STAMP) ## start MLflow's server for a team (HOST=0.0.0.0 PORT=5000 STORE=postgresql://... ARTIFACTS=s3://...)
	@exec $(IN_VENV) -m src.server --port "$(PORT)" $(if $(HOST),--host "$(HOST)") \
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

lock: $(STAMP) ## resolve requirements.lock anew from pyproject.toml
	.venv/bin/uv pip compile pyproject.toml --extra optuna --extra dask --extra server --extra dev --universal --upgrade --quiet \
	  --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --output-file requirements.lock

clean: ## remove .venv, caches and Hydra's output folders; the runs (mlflow.db, mlartifacts) stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis outputs multirun
	find src tests hydra_plugins -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Byte code is compiled here, on all cores: pip would use one, and where PYTHONDONTWRITEBYTECODE is set each start
# of the program would compile MLflow again (5 s).
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: Python 3.11 or newer is needed; $(PYTHON) is $$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo missing)." \
	    "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing the locked packages into .venv (about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(IN_VENV) -m pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(IN_VENV) -m compileall -qq -j 0 .venv/lib
	@touch $(STAMP)
