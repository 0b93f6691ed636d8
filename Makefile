# Every target sets up .venv by itself; only git, make and a Python from 3.11 to 3.13 have to be there. test wants node too.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
GRAMMARS := tests/grammar/node_modules/.ready
PAGE := tests/page/node_modules/.ready
UV := $(CURDIR)/$(BIN)/python -m sandbox.uv_like_pip
AIRFLOWS := $(notdir $(patsubst %/,%,$(sort $(wildcard deploy/airflow/*/))))
# From one index: an extra one may hold some of a version's files only, and the lock would refuse the others.
LOCK := UV_EXTRA_INDEX_URL= UV_FIND_LINKS= $(UV) pip compile -q --generate-hashes --no-annotate --no-header --no-emit-index-url
# No package is built, as what builds it comes without a hash.
LOCKED := --require-hashes --only-binary :all:
SYNC := $(UV) pip sync -q $(LOCKED)
unexport MAKEFLAGS  # a make that a test runs must not inherit these flags
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
export PYTHONWARNINGS := ignore::RuntimeWarning:platformdirs

.PHONY: help demo demo-history up validate test test-page pictures vendor test-docs test-thorough test-faults test-faults-first test-versions check format bundle deploy undeploy bench tune check-warehouse lock lock-images golden settings-page clean

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

test: $(READY) $(GRAMMARS)  ## all tests; ARGS="-k name" for some
	$(BIN)/python -m pytest $(ARGS)

test-page: $(READY) $(PAGE)  ## the page in Chromium, with recorded answers and on a real Airflow
	$(BIN)/python -m pytest tests/page $(ARGS)

test-thorough: $(READY)  ## 10,000 hostile names, monitor files and overrides each
	$(BIN)/python -m pytest --hypothesis-profile=thorough tests/settings/test_properties.py tests/tasks/test_hostile_names.py

# One Airflow per line: two cores cannot bear more.
test-faults: test-faults-first $(READY)  ## faults injected into a real Airflow, approvals, where its secrets go, and 1,000 monitors
	$(BIN)/python -m pytest $(addprefix tests/faults/test_,warehouse.py schedule.py)
	$(BIN)/python -m pytest $(addprefix tests/faults/test_,clock.py metadata.py scheduler.py)
	$(BIN)/python -m pytest tests/scale

# Those that CI has the time for.
test-faults-first: $(READY)
	$(BIN)/python -m pytest $(addprefix tests/faults/test_,refused.py one_cause.py skipped.py late_log.py)
	$(BIN)/python -m pytest $(addprefix tests/faults/test_,worker.py topic.py)
	$(BIN)/python -m pytest tests/approval
	$(BIN)/python -m pytest tests/canaries

test-docs: $(READY)  ## run each command of README and docs/ that needs no AWS
	$(BIN)/python -m pytest tests/commands

test-versions: $(AIRFLOWS:%=test-%)  ## the tests on each Airflow that MWAA runs; AIRFLOWS="3.0.6" for one

test-%: .venv-%/.ready test-image-% test-units-% ;

test-units-%: .venv-%/.ready
	$(CURDIR)/.venv-$*/tests/bin/python -m pytest $(or $(ARGS),tests/settings tests/detection tests/message tests/tasks)

# The bundle, with the packages of MWAA's image and no others.
test-image-%: .venv-%/.ready
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

check-warehouse: $(READY)  ## check the set-up with the connections in the environment; ARGS="--monitor DAG_ID"
	@AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING $(BIN)/python -m redshift_auth_alert.tasks.check_warehouse $(ARGS)

pictures: $(READY)  ## take the pictures of README, from the sandbox
	@$(BIN)/python -m sandbox pictures

vendor: $(PAGE)  ## copy the page's chart library from npm, at the version and hash of tests/page/package-lock.json
	cp $(addprefix tests/page/node_modules/uplot/,dist/uPlot.iife.min.js dist/uPlot.min.css LICENSE) plugins/redshift_auth_alert/page/vendor/

golden: $(READY)  ## write the mails that tests compare, in tests/message/golden
	@$(BIN)/python -m tests.message.attacks

settings-page: $(READY)  ## write docs/settings.md's tables
	@$(BIN)/python docs/settings_table.py

lock: $(READY)  ## resolve requirements-dev.txt anew; CONSTRAINTS=FILE holds it to an image's versions
	{ echo '# Locked from requirements-dev.in by "make lock"; do not edit.'; \
	  $(LOCK) --universal --python-version 3.11 $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) requirements-dev.in; } > requirements-dev.new
	mv requirements-dev.new requirements-dev.txt

lock-images: $(READY)  ## resolve deploy/airflow anew; IMAGES=FOLDER of airflow-X-{constraints,image-packages}.txt
	@set -e; for airflow in $(AIRFLOWS); do cd $(CURDIR)/deploy/airflow/$$airflow; \
	grep -v '^psycopg2==' $(abspath $(IMAGES))/airflow-$$airflow-image-packages.txt > image.in; \
	$(LOCK) --python-version 3.12 -c $(abspath $(IMAGES))/airflow-$$airflow-constraints.txt requirements.txt image.in > image.new; \
	$(LOCK) --python-version 3.12 -c image.new ../tests.in > tests.new; \
	for lock in image tests; do { echo '# Locked by "make lock-images"; do not edit.'; cat $$lock.new; } > $$lock.txt; done; \
	rm image.in image.new tests.new; done

clean:  ## remove what make created: .venv and the other environments, build/, .sandbox/, caches
	rm -rf $(VENV) .venv-* build .sandbox .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/*/node_modules

$(READY): requirements-dev.txt sandbox/find-python
	@set -e; python=$${PYTHON:-$$(sandbox/find-python)}; \
	echo "Setting up $(VENV) with $$($$python --version); this takes a minute, once."; \
	$$python -m venv --clear $(VENV) || { echo "$$python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt | \
	  $(BIN)/python -m pip install -q --disable-pip-version-check $(LOCKED) -r /dev/stdin; \
	$(SYNC) --python $(BIN)/python requirements-dev.txt; \
	touch $(READY)

# Without npm there is no stamp: the tests that need it are skipped, and in CI they fail.
$(GRAMMARS): NEED_NPM := the tests of the SQL's grammar that need node
$(PAGE): NEED_NPM := the tests of the page's accessibility and chart library
tests/%/node_modules/.ready: tests/%/package-lock.json tests/%/.npmrc
	@if command -v npm >/dev/null; then npm ci --ignore-scripts --prefix tests/$* && touch $@; \
	else echo "No npm: $(NEED_NPM) are skipped." >&2; fi

# Two environments of each Airflow: "image" holds what MWAA's image and requirements.txt give and no more, "tests" also the tools.
.PRECIOUS: .venv-%/.ready
# Except dill, which has no wheel there: the image's own setuptools builds it, and the image's lock has its hash.
.venv-3.0.6/.ready: BUILT := --no-binary dill --build-constraints deploy/airflow/3.0.6/image.txt
.venv-%/.ready: deploy/airflow/%/image.txt deploy/airflow/%/tests.txt $(READY)
	@set -e; $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || \
	{ echo "MWAA runs Python 3.12, and $(VENV) has another; install it, then: make clean test-versions PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	for kind in image tests; do $(UV) venv -q --clear --python $(BIN)/python .venv-$*/$$kind; done; \
	$(SYNC) $(BUILT) --python .venv-$*/image/bin/python deploy/airflow/$*/image.txt; \
	$(SYNC) $(BUILT) --python .venv-$*/tests/bin/python deploy/airflow/$*/image.txt deploy/airflow/$*/tests.txt; \
	touch $@
