# Every command first installs what it needs, which takes a minute the first time and no time later.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# Packages of Python and Node.js, the browser and the checks do not wait for one another.
MAKEFLAGS += --jobs=4
PY := .venv/bin/python

.PHONY: help setup demo start sandbox test check types audit notices bench faults fuzz infra rehearse lock format

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready node_modules/.ready ## install everything into this folder (the other commands do this as well)

demo: setup ## export sample segments to a sandbox Mailchimp on this machine, and print the result
	@$(PY) -m devhost.demo

start: setup ## run Azurite and the app (PORT, default 7071) until Ctrl-C
	@exec $(PY) -m devhost.start

sandbox: setup ## run Azurite, the app, a sandbox Mailchimp (port 8055) and sample segments until Ctrl-C
	@exec $(PY) -m devhost.start --sandbox

test: setup browser check .venv/.compiled ## check formatting, lint and types, and run the tests except the slow ones
	@$(PY) -m tests -n 4 --dist loadfile --no-loadscope-reorder

check: types ## check formatting, lint and types
	@$(PY) -m ruff format --check --quiet . || { echo "run 'make format'"; exit 1; }
	@$(PY) -m ruff check --quiet .

types: .venv/.ready ## check types
	@$(PY) -m mypy --no-error-summary

format: .venv/.ready ## format the code, and let ruff correct what it can
	@$(PY) -m ruff check --quiet --fix . ; $(PY) -m ruff format --quiet .

faults: setup ## run all fault tests, also with real processes (SEEDS=n for more cases)
	@LONG_TESTS=1 FAULT_SEEDS=$(SEEDS) $(PY) -m tests tests/faults tests/runs/test_cancel.py \
		tests/versions/test_rolling_deploy.py tests/sending/test_shutdown.py tests/browser \
		tests/consent_updates tests/people \
		--timeout=7200 -n 2 --dist worksteal

fuzz: setup ## fuzz from the corpus in tests/fuzz (SECONDS for each target, default 60; TARGET=name)
	@$(PY) -m tests.fuzz $(or $(SECONDS),60) $(TARGET)

audit: setup ## search files and history for secrets, and packages for known vulnerabilities (STRICT=1)
	@$(PY) -m audit $(if $(STRICT),--strict)

notices: .venv/.ready ## update THIRD_PARTY_NOTICES.md after make lock
	@$(PY) -m audit.notices

infra: setup ## compile and check the templates, and run the tests of the infrastructure
	@$(PY) -m infra.check
	@LONG_TESTS=1 $(PY) -m tests tests/infra

rehearse: setup ## build the deployment package and start it with Microsoft's worker library
	@$(PY) -m infra.rehearse

bench: setup ## measure the speed, and write the results to bench/
	@$(PY) -m bench

lock: .venv/.ready ## update requirements*.txt from requirements*.in
	@for name in requirements requirements-dev requirements-node; do \
		UV_SYSTEM_CERTS=1 $(PY) -m uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-emit-find-links \
			--custom-compile-command 'make lock' --output-file $$name.txt $$name.in || exit 1; \
	done

.PHONY: browser
browser:
	@sh devhost/setup.sh browser

.venv/bin/uv:
	@sh devhost/setup.sh venv

.venv/.ready: requirements.txt requirements-dev.txt | .venv/bin/uv
	@sh devhost/setup.sh python
	@touch $@

# Each test worker would compile the same modules. This takes place while npm waits for the network.
.venv/.compiled: .venv/.ready
	@$(PY) -m tests --collect-only -qq -n 0 >/dev/null 2>&1 || true
	@touch $@

node_modules/.ready: package-lock.json requirements-node.txt | .venv/bin/uv
	@sh devhost/setup.sh node
	@touch $@
