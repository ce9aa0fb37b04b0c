#!/usr/bin/env bash
# setup.sh VENV: Debian packages where apt and root are at hand, then the project with pinned versions in VENV.
# Whatever is missing is said, and the set-up goes on with what can be had.
set -euo pipefail
venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
say() { printf 'set-up: %s\n' "$*" >&2; }

# ---- system packages -----------------------------------------------------------------------------------------------
packages=(gcc libc6-dev python3-dev pkg-config esorex cpl-plugin-muse libcpl-dev chromium firefox-esr)
missing=()
look_for_missing() {
  local p
  missing=()
  for p in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
}
look_for_missing
as_root=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(none); fi
fi
apt=no
if [ ${#missing[@]} -gt 0 ]; then
  if [ "${MUSE_NB_NO_APT:-}" = 1 ]; then
    say "leaving the system as it is (MUSE_NB_NO_APT=1); not installed: ${missing[*]}"
  elif ! command -v apt-get >/dev/null; then
    say "no apt here; not installed: ${missing[*]}"
  elif [ "${as_root[*]}" = none ]; then
    apt=yes
    say "not root and no sudo without a password; not installed: ${missing[*]}"
  else
    apt=yes
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    "${as_root[@]}" apt-get update -q >"$log" 2>&1 || say "apt-get update failed: $(tail -n 1 "$log")"
    known=()
    for p in "${missing[@]}"; do
      [ -z "$(apt-cache show "$p" 2>/dev/null)" ] || known+=("$p")
    done
    say "installing ${known[*]}"
    if ! "${as_root[@]}" apt-get install -y -q --no-install-recommends "${known[@]}" >>"$log" 2>&1; then
      for p in "${known[@]}"; do   # one that cannot be installed must not cost the others
        "${as_root[@]}" apt-get install -y -q --no-install-recommends "$p" >>"$log" 2>&1 || say "apt cannot install $p: $(tail -n 1 "$log")"
      done
    fi
    rm -f "$log"
    look_for_missing
  fi
fi

# ---- Python --------------------------------------------------------------------------------------------------------
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "$python is older than 3.11: set PYTHON to a newer one"; exit 1; }
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"   # none, or one half made
pip() { PYTHONWARNINGS=ignore "$venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }

# ---- ESO's recipes below VENV, where the system has none -----------------------------------------------------------
own=$here/$venv/recipes
version=$("$venv/bin/python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
python_h=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
if [ "$apt" = yes ]; then
  wanted=()
  for p in "${missing[@]}"; do
    case $p in esorex | cpl-plugin-muse | libcpl-dev) wanted+=("$p") ;; esac
  done
  case $python_h in /usr/include/*) [ -e "$python_h" ] || wanted+=("lib$version-dev") ;; esac
  if [ ${#wanted[@]} -gt 0 ]; then
    say "unpacking in $venv/recipes, the system stays as it is: ${wanted[*]}"
    bash scripts/recipes.sh "$own" "${wanted[@]}"
  fi
fi
# flags for what is built against headers that only we have
headers="-I$own/usr/include -I$own/usr/include/$version"
found() { [ -n "$(find /usr/include /usr/local/include "$own/usr/include" -maxdepth 2 -name "$1" -print -quit 2>/dev/null)" ]; }

# ---- the project ---------------------------------------------------------------------------------------------------
pip install -c requirements.lock pip setuptools wheel
if ! command -v "${CC:-cc}" >/dev/null && ! command -v gcc >/dev/null; then
  say "no C compiler: using the one that PyPI's ziglang carries"
  pip install -c requirements.lock ziglang
  # zig's own defaults stop at what other compilers let pass, and compile for this very processor, also what pip keeps
  printf '#!/bin/sh\nexec "%s" -m ziglang cc -mcpu=baseline -fno-sanitize=undefined "$@"\n' "$here/$venv/bin/python" >"$venv/bin/zigcc"
  chmod +x "$venv/bin/zigcc"
  export CC="$here/$venv/bin/zigcc" LDSHARED="$here/$venv/bin/zigcc -shared"
fi
pip install -c requirements.lock --no-build-isolation -e '.[cluster,test,dev]'

# ---- what needs Python's headers to build --------------------------------------------------------------------------
build() { CFLAGS="${CFLAGS:-} $headers" pip install -c requirements.lock --no-build-isolation "$1" 2>/dev/null; }
if ! pip install -c requirements.lock --only-binary mpdaf mpdaf 2>/dev/null; then   # compiled for some Pythons only
  pip install -c requirements.lock cython setuptools-scm vcs-versioning
  build mpdaf || say "no mpdaf: PyPI has none that is compiled for $version, and it did not build (Debian: apt install gcc python3-dev)"
fi
if found cpl.h; then
  build python-cpl || say "python-cpl did not build; esorex is used instead"
else
  say "CPL's headers are not here: no python-cpl"
fi
"$venv/bin/python" - <<'END'
import sys

from muse_nb.recipes.backends import available

usable = [way for way in available().values() if way.usable]
if usable:
    print(f"set-up: ESO's recipes are here, by {' and '.join(way.name for way in usable)}: {usable[0].detail}", file=sys.stderr)
else:
    print("set-up: ESO's recipes are not here: the project's own engine and simulated products are used", file=sys.stderr)
END
