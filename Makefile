# Every target sets up .venv by itself; only git, make and a Python from 3.11 to 3.13 have to be there.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(CURDIR)/$(BIN)/python -m sandbox.uv_like_pip
AIRFLOWS := $(notdir $(patsubst %/,%,$(sort $(wildcard deploy/airflow/*/))))
COMPILE := -q --python-version 3.12 --no-annotate --no-header --no-emit-index-url
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
export PYTHONWARNINGS := ignore::RuntimeWarning:platformdirs

.PHONY: help demo demo-history up validate test test-docs test-faults test-versions check format bundle deploy undeploy bench tune lock lock-images settings-page clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##/  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(READY)  ## real failed logins in, one alert out
	@$(BIN)/python -m sandbox demo

demo-history: $(READY)  ## thirty days of logs in S3, one backfill, the alerts found
	@$(BIN)/python -m sandbox history

up: $(READY)  ## the sandbox with Airflow's pages, until Ctrl-C
	@$(BIN)/python -m sandbox up

validate: $(READY)  ## check the monitor files; Airflow need not run
	@$(BIN)/python -m redshift_auth_alert.settings.monitors

test: $(READY)  ## all tests; ARGS="-k name" for some
	$(BIN)/python -m pytest $(ARGS)

test-faults: $(READY)  ## faults injected into a real Airflow
	$(BIN)/python -m pytest tests/faults

test-docs: $(READY)  ## run each command of README and docs/ that needs no AWS
	$(BIN)/python -m pytest tests/commands

test-versions: $(AIRFLOWS:%=test-%)  ## the tests on each Airflow that MWAA runs; AIRFLOWS="3.0.6" for one

test-%: .venv-%/.ready
	$(CURDIR)/.venv-$*/tests/bin/python -m pytest tests/settings tests/detection tests/message tests/tasks
	$(CURDIR)/.venv-$*/tests/bin/python -m pytest tests/mwaa --image-python $(CURDIR)/.venv-$*/image/bin/python

check: $(READY)  ## lint, the order of the rooms, formatting, types
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## fix lint and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bundle: $(READY)  ## write build/ for MWAA's bucket; AIRFLOW=3.0.6 for another version
	@$(BIN)/python -m deploy.bundle $(if $(AIRFLOW),--airflow $(AIRFLOW))

deploy: $(READY)  ## BUCKET=... ENVIRONMENT=... puts it on MWAA; ARGS=--dry-run only shows what would change
	@$(BIN)/python -m deploy deploy --bucket "$(BUCKET)" --environment "$(ENVIRONMENT)" $(ARGS)

undeploy: $(READY)  ## BUCKET=... ENVIRONMENT=... takes it out again; ARGS=--dry-run as well
	@$(BIN)/python -m deploy undeploy --bucket "$(BUCKET)" --environment "$(ENVIRONMENT)" $(ARGS)

bench: $(READY)  ## measure the budgets; ARGS="import xcom" for some
	@$(BIN)/python -m benchmarks $(ARGS)

tune: $(READY)  ## how many alerts each threshold would have given; ARGS="--days 7"
	@AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING $(BIN)/python docs/examples/tune_thresholds.py $(ARGS)

settings-page: $(READY)  ## write docs/settings.md's tables
	@$(BIN)/python docs/settings_table.py

lock: $(READY)  ## resolve requirements-dev.txt anew; CONSTRAINTS=FILE holds it to an image's versions
	{ echo '# Locked from requirements-dev.in by "make lock"; do not edit.'; \
	  $(UV) pip compile -q --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	  $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) requirements-dev.in; } > requirements-dev.new
	mv requirements-dev.new requirements-dev.txt

lock-images: $(READY)  ## resolve deploy/airflow anew; IMAGES=FOLDER of airflow-X-{constraints,image-packages}.txt
	@set -e; for airflow in $(AIRFLOWS); do cd $(CURDIR)/deploy/airflow/$$airflow; \
	grep -v '^psycopg2==' $(IMAGES)/airflow-$$airflow-image-packages.txt > image.in; \
	$(UV) pip compile $(COMPILE) -c $(IMAGES)/airflow-$$airflow-constraints.txt requirements.txt image.in > image.new; \
	$(UV) pip compile $(COMPILE) -c image.new ../tests.in > tests.new; \
	for lock in image tests; do { echo '# Locked by "make lock-images"; do not edit.'; cat $$lock.new; } > $$lock.txt; done; \
	rm image.in image.new tests.new; done

clean:  ## remove what make created: .venv and the other environments, build/, .sandbox/, caches
	rm -rf $(VENV) .venv-* build .sandbox .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements-dev.txt sandbox/find-python
	@set -e; python=$${PYTHON:-$$(sandbox/find-python)}; \
	echo "Setting up $(VENV) with $$($$python --version); this takes a minute, once."; \
	$$python -m venv --clear $(VENV) || { echo "$$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	$(BIN)/python -m pip install -q --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"; \
	$(UV) pip sync -q --python $(BIN)/python requirements-dev.txt; \
	touch $(READY)

# Two environments of each Airflow: "image" holds what MWAA's image and requirements.txt give and no more, "tests" also the tools.
.PRECIOUS: .venv-%/.ready
.venv-%/.ready: deploy/airflow/%/image.txt deploy/airflow/%/tests.txt $(READY)
	@set -e; $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || \
	{ echo "MWAA runs Python 3.12, and $(VENV) has another; install it, then: make clean test-versions PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	for kind in image tests; do $(UV) venv -q --clear --python $(BIN)/python .venv-$*/$$kind; done; \
	$(UV) pip sync -q --python .venv-$*/image/bin/python deploy/airflow/$*/image.txt; \
	$(UV) pip sync -q --python .venv-$*/tests/bin/python deploy/airflow/$*/image.txt deploy/airflow/$*/tests.txt; \
	touch $@
