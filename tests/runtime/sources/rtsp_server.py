"""A real RTSP camera for the tests: run with the system's Python, which has GStreamer. Prints its port once it listens.

/camera is a test pattern, or a loop of pictures, at 25 frames per second, until the process is killed. The signal USR1 turns the
pattern white.
"""

import argparse
import signal

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - after require_version

CODECS = {
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} ! rtph264pay name=pay0 pt=96 config-interval=-1",
}

parser = argparse.ArgumentParser()
parser.add_argument("--port", default="0", help="0 takes a free one")
parser.add_argument("--address", default="127.0.0.1")
parser.add_argument("--codec", choices=CODECS, default="jpeg")
parser.add_argument("--gop", type=int, default=25)
parser.add_argument("--size", default="160x120")
parser.add_argument("--then-size", help="of the pictures after a second, in the same stream")
parser.add_argument("--transport", choices=["any", "tcp", "udp"], default="any", help="what is allowed")
parser.add_argument("--frames", type=int, help="end after so many")
parser.add_argument("--pattern", default="smpte", help="ball moves, smpte has noise, black stands still")
parser.add_argument("--pictures", help="JPEG files to send in a loop instead of a pattern: DIR/%%03d.jpg")
parser.add_argument("--login", help="USER:PASSWORD that a client must give")
wishes = parser.parse_args()

Gst.init(None)
count = f"num-buffers={wishes.frames}" if wishes.frames else ""
width, _, height = wishes.size.partition("x")
server = GstRtspServer.RTSPServer()
server.set_address(wishes.address)
server.set_service(wishes.port)
factory = GstRtspServer.RTSPMediaFactory()
pattern = (
    f"( videotestsrc name=pattern is-live=true pattern={wishes.pattern} {count} ! videoscale "
    f"! capsfilter name=size caps=video/x-raw,format=I420,width={width},height={height},framerate=25/1 "
    f"! {CODECS[wishes.codec].format(gop=wishes.gop)} )"
)
pictures = (
    f"( multifilesrc location={wishes.pictures} loop=true caps=image/jpeg,framerate=25/1 "
    f"! jpegdec ! videoconvert ! {CODECS[wishes.codec].format(gop=wishes.gop)} )"
)
factory.set_launch(pictures if wishes.pictures else pattern)
if wishes.transport != "any":
    factory.set_protocols(getattr(GstRtsp.RTSPLowerTrans, wishes.transport.upper()))


def change_size(media: GstRtspServer.RTSPMedia) -> None:
    width, _, height = wishes.then_size.partition("x")
    caps = Gst.Caps.from_string(f"video/x-raw,format=I420,width={width},height={height},framerate=25/1")
    media.get_element().get_by_name("size").set_property("caps", caps)


def turn_white(media: GstRtspServer.RTSPMedia) -> bool:
    media.get_element().get_by_name("pattern").set_property("pattern", "white")
    return True


def configure(_: object, media: GstRtspServer.RTSPMedia) -> None:
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, turn_white, media)
    if wishes.then_size:
        GLib.timeout_add(1500, change_size, media)


factory.connect("media-configure", configure)
if wishes.login:
    user, _, password = wishes.login.partition(":")
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
