#!/usr/bin/env bash
# Install everything that requirements.lock pins, and the workspace members, into a virtual environment.
# Usage: scripts/setup.sh PYTHON VENV MEMBER...
set -euo pipefail
python=$1 venv=$2
shift 2

fail() { echo "setup: $1" >&2; exit 1; }

command -v "$python" >/dev/null || fail "$python not found: install Python 3.11 or newer, or name one with PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "$("$python" --version) is too old: install Python 3.11 or newer, or name one with PYTHON=..."
echo "setup: installing into $venv" >&2
if [ ! -x "$venv/bin/python" ]; then
    "$python" -m venv "$venv" || fail "$python cannot make virtual environments: install its venv package (Debian: python3-venv)"
fi

# uv installs the rest several times faster than pip does; pip fetches uv itself, as pinned.
pinned_uv=$(awk '/^uv==/{found=1} found{print} found && !/\\$/{exit}' requirements.lock)
wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)
if [ "$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$wanted" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r <(echo "$pinned_uv") || fail "could not install uv; is a package index reachable?"
fi
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements.lock \
    || fail "could not install requirements.lock; is a package index reachable?"
editable=()
for member in "$@"; do editable+=(--editable "$member"); done
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation "${editable[@]}" \
    || fail "could not install the workspace members"
