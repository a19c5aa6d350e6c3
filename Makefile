# make demo: the whole chain on the bundled sounds.   make test: every check.   Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check figures docs clean
.DELETE_ON_ERROR:

demo: .venv/installed
	$(BIN)/demiurge demo --out demo --force

# One thread in each of as many processes as there are cores, four at most. If root runs them, what depends on the account runs
# again as an ordinary user.
test: .venv/installed-dev browser portaudio
	$(MAKE) -j2 --output-sync check figures docs
	WANDB_MODE=disabled OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal
	scripts/test_as_ordinary_user.sh
	$(MAKE) fuzz

# Altered files of every format, for MINUTES; see docs/contributing.md.
.PHONY: fuzz
fuzz: MINUTES = 1
fuzz: .venv/installed-dev
	WANDB_MODE=disabled $(BIN)/python scripts/fuzz/run.py --minutes $(MINUTES) --random-seed 1

# The pages are tested in a real browser. Debian's is installed where that may be done; without one these tests are skipped,
# and say so, except where CI is set.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "No Chromium: the tests of the web pages will be skipped. On Debian: sudo apt-get install chromium" >&2

# Live sessions are tested over ALSA without hardware. PortAudio is installed, or tests skipped, likewise.
.PHONY: portaudio
portaudio:
	@$(PYTHON) -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("portaudio"))' || { [ "$$(id -u)" = 0 ] && \
	  command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libportaudio2 libasound2-data >/dev/null; } || \
	  echo "No PortAudio: tests of live sessions will be skipped. On Debian: sudo apt-get install libportaudio2" >&2

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# How long and how dense functions, lines and files are.
figures: .venv/installed-dev
	$(BIN)/python scripts/measure/code_size.py --check
	$(BIN)/python scripts/measure/options.py

docs: .venv/installed-dev
	$(BIN)/python -m sphinx -W --keep-going -q docs build/docs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python %d.%d found, 3.11 or newer is needed: make PYTHON=python3.11" % sys.version_info[:2] or 0)'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv; the first time up to 3 GB are downloaded, most of it PyTorch, without a word until it is done."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[cpu,web,stretch]"
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[cpu,web,stretch,map,docs,dev]"
	@touch $@

# The models that go on learning, for MINUTES; see docs/contributing.md.
MINUTES ?= 600
.PHONY: training
training: .venv/installed
	$(BIN)/python scripts/train/all.py $(MINUTES)

clean:
	rm -rf .venv build demo dist .pytest_cache .mypy_cache .ruff_cache
