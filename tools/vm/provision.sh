#!/usr/bin/env bash
# Every system package Millrace can use, on Debian or Ubuntu, as root. The one list there is: the virtual machines of the
# Vagrantfile, CI and the set-up of `npm start` and `npm test` all run this script. Running it again costs a moment.
set -euo pipefail

# In the order of SYSTEM_PROGRAMS in tools/setup.mjs, which says what each is for.
packages=(iproute2 iputils-ping curl util-linux tshark iperf3 procps openssh-client)
# The oldest Node with what we use of it; the same number is in package.json and tools/setup.mjs.
node_major_min=20
# What to install where the distribution's own is older, or there is none: the long-term-support line of its day.
node_line=latest-v22.x

say() { printf 'provision: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ "$(id -u)" -eq 0 ] || die "system packages need root: sudo bash $0"
command -v apt-get >/dev/null || die "no apt-get here; install by hand: ${packages[*]}"

export DEBIAN_FRONTEND=noninteractive
updated=no

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Another apt may be at work (a new machine updates itself): wait for its lock instead of failing.
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null; }

update_once() {
  [ "$updated" = yes ] && return
  say 'fetching package lists'
  apt update
  updated=yes
}

install() {
  update_once
  say "installing $*"
  apt install --yes --no-install-recommends "$@" >/dev/null
}

node_major() { node --version 2>/dev/null | sed -E 's/^v([0-9]+)\..*/\1/' || true; }

# Node's own build, checked against the list of sums published beside it.
node_from_upstream() {
  local arch folder file package base=https://nodejs.org/dist/$node_line
  case "$(dpkg --print-architecture)" in
    amd64) arch=x64 ;;
    arm64) arch=arm64 ;;
    *) die "no build of Node $node_major_min for $(dpkg --print-architecture): install it by hand" ;;
  esac
  for package in ca-certificates xz-utils; do
    installed "$package" || install "$package"
  done
  folder=$(mktemp -d)
  curl -fsSL --retry 3 -o "$folder/sums" "$base/SHASUMS256.txt"
  file=$(sed -nE "s/^[0-9a-f]{64}  (node-v[0-9.]+-linux-$arch\.tar\.xz)\$/\1/p" "$folder/sums")
  [ -n "$file" ] || die "no build for linux-$arch under $base"
  say "installing $file"
  curl -fsSL --retry 3 -o "$folder/$file" "$base/$file"
  (cd "$folder" && grep "  $file\$" sums | sha256sum --check --quiet)
  tar -xJf "$folder/$file" -C /usr/local --strip-components=1 --no-same-owner --exclude='*.md' --exclude=LICENSE
  rm -rf "$folder"
}

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  # tshark asks whether everybody may capture. No: Millrace writes its own captures, and reads them as an ordinary file.
  command -v debconf-set-selections >/dev/null &&
    echo 'wireshark-common wireshark-common/install-setuid boolean false' | debconf-set-selections
  install "${missing[@]}"
fi

major=$(node_major)
if [ "${major:-0}" -lt "$node_major_min" ]; then
  update_once
  candidate=$(apt-cache policy nodejs | sed -nE 's/^ *Candidate: ([0-9]+)\..*/\1/p')
  if [ "${candidate:-0}" -ge "$node_major_min" ]; then
    install nodejs
    # Some builds of the package bring npm along and refuse Debian's.
    hash -r
    command -v npm >/dev/null || install npm
  else
    node_from_upstream
  fi
  hash -r
  major=$(node_major)
  [ "${major:-0}" -ge "$node_major_min" ] || die "Node $node_major_min or newer could not be installed"
fi

if [ ${#missing[@]} -gt 0 ] || [ "$updated" = yes ]; then say 'done'; fi
