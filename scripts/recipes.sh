#!/usr/bin/env bash
# recipes.sh FOLDER PACKAGE...: unpack Debian packages and what they need, as far as the system lacks it, in FOLDER.
# Needs apt and no root: apt works on sources, lists and a cache of its own beside FOLDER, checks signatures as always,
# and changes nothing of the system. What the release lacks (Debian 13 has no cpl-plugin-muse) is Debian 12's.
set -euo pipefail
folder=$1
shift
say() { printf 'set-up: %s\n' "$*" >&2; }

if [ "$(cat "$folder/packages" 2>/dev/null)" = "$*" ]; then exit 0; fi
work=$(cd "$(dirname "$folder")" && pwd)/recipes.apt
rm -rf "$work" "$folder"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,sources,preferences,root}
log=$work/log

# ---- an apt of our own ---------------------------------------------------------------------------------------------
{
  apt-config dump | grep '^Acquire::' || true   # proxies; not the hooks, which would clean the system's cache
  cat <<END
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$work";
Dir::Cache::archives "$work/archives";
Dir::Log "$work";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/sources";
Dir::Etc::preferences "$work/preferences/debian12";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
APT::Install-Recommends "false";
Debug::NoLocking "true";
END
} >"$work/apt.conf"
[ ! -r /etc/apt/sources.list ] || cp /etc/apt/sources.list "$work/sources/system.list"
for file in /etc/apt/sources.list.d/*.{list,sources}; do
  [ ! -r "$file" ] || cp "$file" "$work/sources/"
done
export APT_CONFIG=$work/apt.conf DEBIAN_FRONTEND=noninteractive
update() { apt-get update -q >>"$log" 2>&1 || say "apt cannot read all of its sources: $(tail -n 1 "$log")"; }
fetch() { apt-get install -y -q --download-only --allow-downgrades "$@" >>"$log" 2>&1; }
update

# ---- Debian 12 beside it, for what this release lacks --------------------------------------------------------------
beside=()
for package in "$@"; do
  [ -n "$(apt-cache show "$package" 2>/dev/null)" ] || beside+=("$package")
done
if [ ${#beside[@]} -gt 0 ]; then
  say "this release has no ${beside[*]}: taking Debian 12's"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  if [ ! -e "$keyring" ]; then   # signed in its turn by the keys of this release
    (cd "$work" && apt-get download -q debian-archive-keyring && dpkg-deb -x debian-archive-keyring_*.deb keys) >>"$log" 2>&1 || true
    keyring=$work/keys$keyring
  fi
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' | awk '$1 == "Debian" && $2 == "Debian" && !n++ {print $3}')
  printf 'deb [signed-by=%s] %s bookworm main\n' "$keyring" "${mirror:-http://deb.debian.org/debian}" >"$work/sources/debian12.list"
  # the libgslcblas0 of a newer release does not go with the libgsl27 of this one
  printf 'Package: %s\nPin: release n=bookworm\nPin-Priority: %s\n\n' '*' 100 'libgsl27 libgslcblas0' 1001 >"$work/preferences/debian12"
  update
fi

# ---- fetch, unpack, try --------------------------------------------------------------------------------------------
if ! fetch "$@"; then
  say "apt cannot fetch all of $*: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
  for package in "$@"; do   # one that is not to be had must not cost the others
    fetch "$package" || say "not to be had without root: $package"
  done
fi
for file in "$work"/archives/*.deb; do
  [ -e "$file" ] || continue
  name=$(dpkg-deb -f "$file" Package)
  case $name in
    libc6 | libc6-dev | libc-bin | libc-dev-bin | libcrypt1 | libcrypt-dev | linux-libc-dev | rpcsvc-proto | libgcc-s1 | libstdc++6)
      continue ;;   # of one piece with the system's loader and compiler
    libgslcblas0) ;;
    *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ] || continue ;;
  esac
  dpkg-deb -x "$file" "$work/root"
done
printf '%s' "$*" >"$work/root/packages"
mv "$work/root" "$folder"
