#!/usr/bin/env bash
# Whether a member declares exactly the packages that it imports. Usage: scripts/deptry.sh MEMBER_FOLDER
set -euo pipefail
deptry=$PWD/.venv/bin/deptry
cd "$1"
"$deptry" src --config pyproject.toml --no-ansi --known-first-party "$(basename "$PWD")" \
    --package-module-name-map "gruppetto-shared=shared,gruppetto-stravasim=stravasim,gruppetto-devstack=devstack"
