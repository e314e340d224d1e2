# The 12345 enterprise line. Needs make and Python 3.10-3.12, no root: everything goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python .ci/install_packages.py
DECLARED := setup.cfg pyproject.toml
export PYTHON ROUNDS SEED

.DEFAULT_GOAL := help
.PHONY: help demo run test fuzz lint bench screenshots clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    six scenes over real SIP and RTP, on this machine only, with a table of what was proved"
	@echo "make run     the service, as config/hotline.yaml says"
	@echo "make test    all tests (ARGS=... goes to pytest)"
	@echo "make fuzz    the property tests with random examples (ROUNDS=10; SEED=... tries those of one seed again),"
	@echo "             then 400,000 mutated SIP messages in process and 40,000 over sockets (a quarter of an hour)"
	@echo "make lint    ruff and mypy"
	@echo "make bench   load and latency figures (several minutes)"
	@echo "make screenshots  a picture of every page of the console, into docs/images"
	@echo "make clean   remove .venv and caches, but not var/ (orders and recordings)"

demo: $(VENV)/.installed
	@$(BIN)/hotline demo $(ARGS)

run: $(VENV)/.installed
	@$(BIN)/hotline serve --config config/hotline.yaml $(ARGS)

test: $(VENV)/.installed-test
	@.ci/install-test-tools
	@$(BIN)/python -m pytest --numprocesses 4 $(ARGS)

fuzz: $(VENV)/.installed-test
	@.ci/fuzz $(BIN)/python $(ARGS)
	@nice -n 10 $(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED))

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(VENV)/.installed-test
	@.ci/install-test-tools
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(VENV)/.installed-test
	@.ci/install-test-tools
	@$(BIN)/python -m tests.web.screenshots $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than the files that declare the packages, or the packages are installed again.
$(VENV)/.installed: $(DECLARED) | $(BIN)/python
	@$(INSTALL) "the service and the packages it needs into $(VENV)" --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(INSTALL) "what the tests need" --editable '.[test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-test
	@$(INSTALL) "the linters" --editable '.[test,dev]'
	@touch $@

# --clear: what an interrupted or moved environment left behind is not built upon
$(BIN)/python:
	@found=$$(.ci/find-python) && echo "making $(VENV) with $$found ..." && "$$found" -m venv --clear $(VENV)
