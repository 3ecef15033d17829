#!/usr/bin/env bash
# Makes a Debian 12 arm64 root with Python 3.11 in FOLDER/root and qemu-aarch64-static beside it. Nothing is installed on this machine,
# and no rights are needed: apt resolves and downloads the packages, checked with Debian's keys, and dpkg-deb unpacks them. They are
# not configured, as debootstrap's second stage would do with root's rights: 49 packages instead of 111, without their scripts.
# Usage: bash tests/arm64/debian.sh FOLDER
set -euo pipefail

folder=$1
if [ -e "$folder/done" ]; then
  exit 0
fi
for tool in apt-get dpkg-deb unshare; do
  command -v "$tool" > /dev/null || { echo "$tool is not installed here"; exit 1; }
done
# the mirror that this system takes its packages from
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Origin: Debian" 2> /dev/null | grep -v security | head -1 || true)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -n "$mirror" ] && [ -e "$keys" ] || { echo "this system takes no packages from a Debian mirror (run apt-get update)"; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$folder/root"
mkdir -p "$folder/root"
apt() { # architecture, words
  local state=$work/$1
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  echo "deb [arch=$1 signed-by=$keys] $mirror bookworm main" > "$state/sources.list"
  timeout 600 apt-get -qq -o "APT::Architecture=$1" -o "APT::Architectures::=$1" -o "Dir::Etc::SourceList=$state/sources.list" \
    -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::lists=$state/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$state/cache" \
    -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none -o Debug::NoLocking=1 "${@:2}" > "$work/apt.log" 2>&1 \
    || { echo "apt-get: $(tail -1 "$work/apt.log")"; exit 1; }
}
host=$(dpkg --print-architecture)
if [ ! -x "$folder/qemu-aarch64-static" ]; then
  apt "$host" update
  (cd "$work" && apt "$host" download qemu-user-static)
  # the package holds the emulators of forty processors
  dpkg-deb --fsys-tarfile "$work"/qemu-user-static_*.deb | tar -x -C "$folder" --strip-components=3 ./usr/bin/qemu-aarch64-static
fi
apt arm64 update
apt arm64 install -y --no-install-recommends --download-only python3 bash coreutils libstdc++6
for package in "$work"/arm64/cache/archives/*.deb; do
  dpkg-deb -x "$package" "$folder/root"
done
cd "$folder/root"
mkdir -p proc dev sys tmp root srv usr/local/lib/python3.11/dist-packages
chmod 1777 tmp
[ -e bin/sh ] || ln -s bash bin/sh
echo "root:x:0:0:root:/root:/bin/bash" > etc/passwd
echo "root:x:0:" > etc/group
printf '127.0.0.1 localhost\n::1 localhost\n' > etc/hosts
touch "$folder/done"
