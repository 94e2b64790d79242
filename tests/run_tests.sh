#!/bin/sh
# Every check of this project: sh tests/run_tests.sh [pytest arguments]
#
#   sh tests/run_tests.sh                     all default tests, after ruff and mypy
#   sh tests/run_tests.sh tests/style -x      arguments go to pytest
#   sh tests/run_tests.sh -m slow             the tests that take minutes
#   sh tests/run_tests.sh -n 0                one process, e.g. for a debugger
#
# Makes and fills a virtual environment in .venv first, unless one is active.
set -eu

repository=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$repository/examples/environment.sh"
enter_environment "$repository" dev
cd "$repository"

echo "== ruff"
python -m ruff check .
python -m ruff format --check .
echo "== mypy --strict"
python -m mypy
echo "== pytest"
exec python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadgroup "$@"
