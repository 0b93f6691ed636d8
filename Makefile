# Every target sets up .venv by itself; only git, make and a Python from 3.11 to 3.13 have to be there.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
export PYTHONWARNINGS := ignore::RuntimeWarning:platformdirs

.PHONY: help demo demo-history up test check format bundle bench tune lock readme clean

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*##/  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(READY)  ## real failed logins in, one alert out
	@$(BIN)/python -m sandbox demo

demo-history: $(READY)  ## thirty days of logs in S3, one backfill, the alerts found
	@$(BIN)/python -m sandbox history

up: $(READY)  ## the sandbox with Airflow's pages, until interrupted
	@$(BIN)/python -m sandbox up

test: $(READY)  ## all tests; ARGS="-k name" for some
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## mend lint and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bundle: $(READY)  ## write build/ for MWAA's bucket
	@$(BIN)/python -m deploy.bundle

bench: $(READY)  ## measure the budgets; ARGS="import xcom" for some
	@$(BIN)/python -m benchmarks $(ARGS)

tune: $(READY)  ## alerts that each threshold would have given; ARGS="--days 7"
	@AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING $(BIN)/python -m redshift_auth_alert.tune $(ARGS)

readme: $(READY)  ## write the settings table into README.md
	@$(BIN)/python docs/settings_table.py

lock: $(READY)  ## resolve requirements-dev.txt anew; CONSTRAINTS=FILE holds it to an image's versions
	{ echo '# Locked from requirements-dev.in by "make lock"; do not edit.'; \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	  $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) requirements-dev.in; } > requirements-dev.new
	mv requirements-dev.new requirements-dev.txt

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements-dev.txt sandbox/find-python
	@set -e; python=$${PYTHON:-$$(sandbox/find-python)}; \
	echo "Setting up $(VENV) with $$($$python --version); this takes a minute, once."; \
	$$python -m venv --clear $(VENV) || { echo "$$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	$(BIN)/python -m pip install -q --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"; \
	$(BIN)/uv pip sync -q --python $(BIN)/python requirements-dev.txt; \
	touch $(READY)
