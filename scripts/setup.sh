#!/usr/bin/env bash
# setup.sh VENV: Debian packages where apt and root are at hand, then the project with pinned versions in VENV.
# Whatever is missing is said, and the set-up goes on with what can be had.
set -euo pipefail
venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
say() { printf 'set-up: %s\n' "$*" >&2; }

# ---- system packages -----------------------------------------------------------------------------------------------
packages=(gcc libc6-dev python3-dev pkg-config esorex cpl-plugin-muse libcpl-dev chromium)
missing=()
if command -v dpkg-query >/dev/null; then
  for p in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
else
  missing=("${packages[@]}")
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(none); fi
fi
if [ ${#missing[@]} -gt 0 ]; then
  if [ "${MUSE_NB_NO_APT:-}" = 1 ]; then
    say "leaving the system as it is (MUSE_NB_NO_APT=1); not installed: ${missing[*]}"
  elif ! command -v apt-get >/dev/null; then
    say "no apt here; not installed: ${missing[*]}"
  elif [ "${as_root[*]}" = none ]; then
    say "not root and no sudo without a password; not installed: ${missing[*]}"
  else
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    "${as_root[@]}" apt-get update -q >"$log" 2>&1 || say "apt-get update failed: $(tail -n 1 "$log")"
    if ! "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
      for p in "${missing[@]}"; do   # one that this release lacks must not cost the others
        "${as_root[@]}" apt-get install -y -q --no-install-recommends "$p" >>"$log" 2>&1 || say "apt has no $p"
      done
    fi
    rm -f "$log"
  fi
fi

# ---- Python --------------------------------------------------------------------------------------------------------
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "$python is older than 3.11: set PYTHON to a newer one"; exit 1; }
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"   # none, or one half made
pip() { PYTHONWARNINGS=ignore "$venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }
pip install -c requirements.lock pip setuptools wheel
if ! command -v "${CC:-cc}" >/dev/null && ! command -v gcc >/dev/null; then
  say "no C compiler: using the one that PyPI's ziglang carries"
  pip install -c requirements.lock ziglang
  printf '#!/bin/sh\nexec "%s" -m ziglang cc "$@"\n' "$here/$venv/bin/python" >"$venv/bin/zigcc"
  chmod +x "$venv/bin/zigcc"
  export CC="$here/$venv/bin/zigcc" LDSHARED="$here/$venv/bin/zigcc -shared"
fi
pip install -c requirements.lock --no-build-isolation -e '.[cluster,test,dev]'
if command -v pkg-config >/dev/null && [ -n "$(find /usr/include /usr/local/include -maxdepth 2 -name cpl.h -print -quit 2>/dev/null)" ]; then
  pip install -c requirements.lock --no-build-isolation -e '.[eso]' || say "python-cpl did not build; esorex is used instead"
else
  say "CPL's headers are not here: no python-cpl"
fi
command -v esorex >/dev/null || say "esorex is not here: the project's own engine and simulated products are used"
