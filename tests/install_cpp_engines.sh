#!/usr/bin/env bash
# Brings what the C++ programs of `edgecnn info --snippet cpp` are compiled with into build/cpp: headers of ONNX Runtime (Debian 13) and of
# TensorFlow Lite (Debian unstable), 0.5 MB, checked by apt with Debian's keys, and the library of TensorFlow Lite from the wheel of
# pymicro-wakeword, 2 MB. The library of ONNX Runtime is in its own wheel. Nothing is installed; what is missing is skipped by the tests.
# Usage: bash tests/install_cpp_engines.sh
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)/build/cpp
if [ -e "$root/done" ]; then
  echo "all there"
  exit 0
fi
if ! command -v apt-get > /dev/null || ! command -v dpkg > /dev/null; then
  echo "no apt-get: the C++ programs are not compiled with their engines"
  exit 0
fi
# the mirror that this system takes its packages from
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Origin: Debian" 2> /dev/null | grep -v security | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
complete=1
headers() { # suite, package
  mkdir -p "$work/$1/lists/partial" "$work/$1/cache/archives/partial" "$work/$1/debs"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" > "$work/$1/sources.list"
  local options=(-q -o "Dir::Etc::SourceList=$work/$1/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::lists=$work/$1/lists" -o "Dir::Cache=$work/$1/cache")
  (cd "$work/$1/debs" && timeout 180 apt-get "${options[@]}" update > /dev/null && timeout 60 apt-get "${options[@]}" download "$2") \
    && dpkg -x "$work/$1/debs/$2"_*.deb "$root"
}
mkdir -p "$root/lib"
headers trixie libonnxruntime-dev || complete=0
headers sid libtensorflow-lite-dev || complete=0
python=$(dirname "$0")/../.venv/bin/python
[ -x "$python" ] || python=python3
"$python" -m pip download -q --no-deps -d "$work" pymicro-wakeword==2.5.0 \
  && "$python" - "$work" "$root/lib" <<'PY' || complete=0
import sys
import zipfile
from pathlib import Path

wheel = next(Path(sys.argv[1]).glob("pymicro_wakeword-*.whl"))
name = "libtensorflowlite_c.so"
Path(sys.argv[2], name).write_bytes(zipfile.ZipFile(wheel).read(f"pymicro_wakeword/lib/{name}"))
PY
if [ "$complete" -eq 1 ]; then
  touch "$root/done"
  echo "headers and libraries are in build/cpp"
else
  echo "something could not be had: the C++ programs are not all compiled with their engines"
fi
