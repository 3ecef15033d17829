#!/usr/bin/env bash
# Installs what some tests talk to: ffmpeg, an RTSP server, a browser, an MQTT broker, an SSH server, tools for network faults. Tests whose peer is absent are skipped and say so.
# Usage: bash tests/install_peers.sh    (root, or a user who may sudo without a password)
set -uo pipefail

missing=()
command -v ffprobe > /dev/null || missing+=(ffmpeg)
command -v chromium > /dev/null || missing+=(chromium)
command -v chromedriver > /dev/null || missing+=(chromium-driver)
command -v mosquitto > /dev/null || [ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
command -v sshd > /dev/null || [ -x /usr/sbin/sshd ] || missing+=(openssh-server openssh-client)
command -v tmux > /dev/null || missing+=(tmux)
command -v tc > /dev/null || [ -x /sbin/tc ] || [ -x /usr/sbin/tc ] || missing+=(iproute2)
/usr/bin/python3 -c "import gi; gi.require_version('GstRtspServer', '1.0')" 2> /dev/null \
  || missing+=(python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good)
# x264enc, with which the RTSP server of the tests sends H.264
/usr/bin/python3 -c "
import gi; gi.require_version('Gst', '1.0')
from gi.repository import Gst; Gst.init(None)
raise SystemExit(Gst.ElementFactory.find('x264enc') is None)" 2> /dev/null || missing+=(gstreamer1.0-plugins-ugly)

if [ ${#missing[@]} -eq 0 ]; then
  echo "all there"
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n)
fi
if ! command -v apt-get > /dev/null || ! "${as_root[@]}" true 2> /dev/null; then
  echo "can't install ${missing[*]}: needs apt-get and root; the tests that need them will be skipped"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q || exit $?
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
