#!/usr/bin/env bash
# Every gate that needs no server. Each one is shown to bite by tests/test_gates.py.
set -uo pipefail
bin=.venv/bin
failed=0

gate() { # name, command...
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok    $name"
    else
        failed=1
        echo "FAIL  $name"
        sed 's/^/      /' <<<"$output"
    fi
}

gate "format (ruff)" $bin/ruff format --check --quiet .
gate "lint (ruff)" $bin/ruff check --quiet .
gate "types (mypy --strict)" $bin/mypy libs/*/src services/*/src
gate "import contracts (import-linter)" $bin/lint-imports --no-cache
for member in libs/* services/*; do
    gate "dependencies of $member (deptry)" bash scripts/deptry.sh "$member"
done
gate "dead code (vulture)" $bin/vulture
gate "contracts (JSON Schema, compatibility)" $bin/gruppetto contracts check
gate "AsyncAPI (official parser)" bash scripts/asyncapi.sh
exit $failed
