"""A real RTSP camera for the tests: run with the system's Python, which has GStreamer. Prints its port once it listens.

Usage: rtsp_server.py [FRAMES]     a test pattern of 160x120 at 25 frames per second, without end or FRAMES long
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after require_version

Gst.init(None)
count = f"num-buffers={sys.argv[1]}" if len(sys.argv) > 1 else ""
server = GstRtspServer.RTSPServer()
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( videotestsrc is-live=true {count} ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 "
    "! jpegenc ! rtpjpegpay name=pay0 pt=26 )"
)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
