#!/usr/bin/env bash
# The tests against real servers: a WordPress, a NATS, the public webhook libraries. None of them may be left out.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=$HOME/.cache/earful/tools
export EARFUL_PYTHON=${EARFUL_PYTHON:-$tools/venv/bin/python}
export EARFUL_NATS_SERVER=${EARFUL_NATS_SERVER:-$tools/nats-server}
export EARFUL_REQUIRE_REAL=1 EARFUL_REQUIRE_WORDPRESS=1

# WordPress says where it is in the environment, and ends with the tests.
tests/real/wordpress.sh cargo test --release --locked --test it -- wordpress nats standard_webhooks --nocapture
