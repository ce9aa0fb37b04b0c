#!/usr/bin/env bash
# docs.sh VENV: the documentation in build/docs. Needs the network only where Sphinx is not in VENV yet.
set -euo pipefail
venv=$1
cd "$(dirname "$0")/.."
if ! "$venv/bin/python" -c 'import myst_parser, numpydoc, pydata_sphinx_theme, sphinx' 2>/dev/null; then
  echo "docs: installing Sphinx in $venv" >&2
  PYTHONWARNINGS=ignore "$venv/bin/python" -m pip --disable-pip-version-check -q install -c requirements.lock \
    --no-build-isolation -e '.[docs]'
fi
if [ ! -e demo/index.html ] && [ ! -e build/docs-demo/index.html ]; then
  echo "docs: no demo here, running the notebooks on a smaller night (some minutes, once)" >&2
  "$venv/bin/muse-nb" demo -o build/docs-demo --exposures 4 --engine own
fi
"$venv/bin/python" -m sphinx -q -W --keep-going -n -b html docs build/docs
"$venv/bin/python" docs/generate/site_links.py build/docs
echo "docs: open build/docs/index.html" >&2
