"""An RTSP camera of GStreamer's own server, a moving ball as JPEG: `/usr/bin/python3 rtsp_server.py PORT WIDTH HEIGHT`.

Debian's python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good, of the system's own Python.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # of the versions that were required

port, width, height = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer(service=port)
factory = GstRtspServer.RTSPMediaFactory(shared=True)
form = f"video/x-raw,format=I420,width={width},height={height},framerate=30/1"
factory.set_launch(f"( videotestsrc is-live=true pattern=ball ! {form} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
