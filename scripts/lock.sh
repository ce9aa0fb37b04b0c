#!/usr/bin/env bash
# lock.sh: write requirements.lock, the newest versions that the oldest supported Python (PYTHON) takes.
# Needs what python-cpl needs to build: a C compiler and CPL's headers.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
pip() { PYTHONWARNINGS=ignore "$folder/venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }
pip install -U pip setuptools wheel
pip install --no-build-isolation -e '.[cluster,eso,mpdaf,test,dev,docs]' ziglang cython setuptools-scm vcs-versioning
pip freeze --all --exclude-editable >requirements.lock
