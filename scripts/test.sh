#!/usr/bin/env bash
# test.sh VENV [pytest arguments]: the whole test suite, tests of one file on one core.
set -euo pipefail
venv=$1
shift
export OMP_NUM_THREADS=1 JUPYTER_PLATFORM_DIRS=1
exec "$venv/bin/python" -m pytest -n 2 --dist loadfile "$@"
