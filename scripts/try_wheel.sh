#!/usr/bin/env bash
# try_wheel.sh WHEEL [EXPOSURES]: install a wheel as a user would, in an empty environment (PYTHON) and an empty folder far
# from any clone, with ready-made packages only, and try what it brings: versions, notebooks, JupyterLab, the demo.
set -euo pipefail
wheel=$(realpath "$1")
exposures=${2:-4}
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
say() { printf 'wheel: %s\n' "$*" >&2; }

"${PYTHON:-python3}" -m venv "$folder/venv"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" -m pip --disable-pip-version-check -q install --only-binary :all: "$wheel"
cd "$folder"
muse_nb() { "$folder/venv/bin/muse-nb" "$@"; }
version=$(muse_nb --version)
[ "$version" = "muse-nb $(basename "$wheel" | cut -d- -f2)" ] || { say "$version is not what $wheel is called"; exit 1; }
muse_nb doctor --install
say "$version: installed"

muse_nb new mine >/dev/null
[ -e mine/start.ipynb ] || { say "muse-nb new wrote no notebooks"; exit 1; }

muse_nb lab --no-browser --port 8899 >lab.log 2>&1 &
server=$!
for _ in $(seq 120); do
  address=$(grep -om 1 'http://127.0.0.1:[0-9]*/lab[^ ]*token=[0-9a-f]*' lab.log || true)
  [ -z "$address" ] || break
  kill -0 "$server" 2>/dev/null || { cat lab.log >&2; say "muse-nb lab ended"; exit 1; }
  sleep 1
done
"$folder/venv/bin/python" - "$address" <<'END'
import sys
from urllib.request import urlopen

address = sys.argv[1]
assert b"JupyterLab" in urlopen(address).read(), "no JupyterLab there"
start = address.replace("/lab/tree/", "/api/contents/")
assert b'"type": "notebook"' in urlopen(start).read().replace(b'":"', b'": "'), "the start page is not there"
END
kill "$server"
server=
say "$version: notebooks and JupyterLab are there"

muse_nb demo -o demo --exposures "$exposures"
[ -e demo/index.html ] && [ -e demo/html/04-combine.html ] || { say "the demo made no pages"; exit 1; }
say "$version: works, demo included"
