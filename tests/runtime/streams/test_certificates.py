"""Cameras by https and rtsps: who proves to be another is refused, by Python and by FFmpeg alike."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mjpeg_server import usual_part
from sound_server import until

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.camera import Camera

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certificate(names: list[str], issuer: Pair | None = None, authority: bool = False, until_days: int = 30) -> Pair:
    """For these host names and addresses, signed by the issuer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(issuer[0].subject if issuer else name, name, key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - 60 * day).not_valid_after(now + until_days * day)
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if authority:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        signed_by = (issuer[1] if issuer else key).public_key()
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([general_name(one) for one in names]), False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def general_name(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """A folder of them, PEM, with their keys; `authority.pem` has signed all but `self_signed.pem`."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificate(["the robot's own"], authority=True)
    here = ["localhost", "127.0.0.1"]
    made = {
        "good": certificate(here, authority),
        "other_name": certificate(["camera.example", "192.0.2.1"], authority),
        "expired": certificate(here, authority, until_days=-1),
        "self_signed": certificate(here),
        "authority": authority,
    }
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    for name, (public, key) in made.items():
        (folder / f"{name}.pem").write_bytes(public.public_bytes(form[0]) + key.private_bytes(*form))
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """A folder with a film, and with a playlist of it."""
    folder = tmp_path_factory.mktemp("films")
    writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for level in range(200):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return folder


class Jpegs(BaseHTTPRequestHandler):
    """Motion JPEG without end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        part = usual_part(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes())
        while True:
            self.wfile.write(part)


class Elsewhere(BaseHTTPRequestHandler):
    """Sends whoever asks to another server."""

    to = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.to)
        self.end_headers()


@pytest.fixture
def serve(certificates, monkeypatch) -> Iterator[Callable[..., str]]:
    """Starts a server with a certificate, or with none; the address by which it is found, where its own is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "authority.pem"))
    servers = []

    def start(handler: Callable[..., BaseHTTPRequestHandler], name: str | None, host: str = "localhost") -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.handle_error = lambda request, address: None  # viewers leave
        if name is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / f"{name}.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"{'http' if name is None else 'https'}://{host}:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def kinds(films, monkeypatch) -> dict[str, tuple[Callable[..., BaseHTTPRequestHandler], str]]:
    """What Python receives itself, and what is FFmpeg's; each with its path."""
    for handler in (SimpleHTTPRequestHandler, BaseHTTPRequestHandler):
        monkeypatch.setattr(handler, "log_message", lambda *said: None)
    return {"jpegs": (Jpegs, "/video"), "film": (partial(SimpleHTTPRequestHandler, directory=films), "/film.avi")}


def seen(url: str, **options: bool) -> tuple[int, ...]:
    with Camera(url, **options) as camera:
        return next(iter(camera)).image.shape


REFUSED = {"self_signed": "self-signed certificate", "other_name": "ostname mismatch", "expired": "has expired"}


@pytest.mark.parametrize("kind", ["jpegs", "film"])
@pytest.mark.parametrize("name", REFUSED)
def test_who_proves_to_be_another_is_refused_in_one_line_and_taken_where_that_is_wanted(serve, kinds, kind, name):
    handler, path = kinds[kind]
    url = serve(handler, name) + path
    with pytest.raises(StreamError, match=rf"is not trusted: .*{REFUSED[name]}.*; --insecure"):
        seen(url)
    assert seen(url, insecure=True) == (48, 64, 3)


@pytest.mark.parametrize("kind", ["jpegs", "film"])
def test_who_proves_to_be_who_it_is_called_is_believed(serve, kinds, kind, monkeypatch):
    handler, path = kinds[kind]
    url = serve(handler, "good") + path
    assert seen(url) == (48, 64, 3)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(StreamError, match="is not trusted: unable to get local issuer certificate"):
        seen(url)


def test_an_address_is_compared_too_where_python_receives(serve, kinds):
    jpegs, film = kinds.values()
    assert seen(serve(jpegs[0], "good", "127.0.0.1") + jpegs[1]) == (48, 64, 3)
    with pytest.raises(StreamError, match="IP address mismatch"):
        seen(serve(jpegs[0], "other_name", "127.0.0.1") + jpegs[1])
    with pytest.raises(StreamError, match="with a host name only, not with an IP address; --insecure"):
        seen(serve(film[0], "good", "127.0.0.1") + film[1])


@pytest.mark.parametrize("kind", ["jpegs", "film"])
@pytest.mark.parametrize(("name", "said"), [("self_signed", "self-signed"), (None, "it leads on .* without https")])
def test_nobody_is_led_on_to_who_proves_nothing(serve, kinds, kind, name, said):
    handler, path = kinds[kind]
    to = serve(handler, name) + path
    with pytest.raises(StreamError, match=f"is not trusted: {said}"):
        seen(serve(type("To", (Elsewhere,), {"to": to}), "good") + path)


def test_a_playlist_is_refused_since_ffmpeg_would_not_prove_what_it_names(serve, kinds, films):
    film, path = kinds["film"]
    elsewhere = serve(film, "self_signed") + path
    (films / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{elsewhere}\n#EXT-X-ENDLIST\n")
    with pytest.raises(StreamError, match="cannot be opened: it did not answer within 2 s, or not with video"):
        seen(serve(film, "good") + "/list.m3u8")


def test_a_camera_that_comes_back_as_another_stays_lost(serve, kinds, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(BriefJpegs, parts=5))
    server.handle_error = lambda request, address: None
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Camera(f"https://localhost:{server.server_port}/video") as camera:
            context.load_cert_chain(certificates / "self_signed.pem")
            until(lambda: "is not trusted: self-signed certificate" in (camera.health.error or ""))
            assert camera.state in ("lost", "reconnecting")
    finally:
        server.shutdown()
        server.server_close()


class BriefJpegs(Jpegs):
    """A camera that ends each connection after some pictures."""

    def __init__(self, *request: object, parts: int) -> None:
        self._left = parts
        super().__init__(*request)

    @property
    def wfile(self):
        self._left -= 1
        if self._left < 0:
            raise ConnectionError
        return self._file

    @wfile.setter
    def wfile(self, file) -> None:
        self._file = file


@pytest.mark.parametrize("name", REFUSED)
def test_by_rtsps_nobody_is_asked_for_a_picture_who_does_not_prove_to_be_it(serve, name):
    with pytest.raises(StreamError, match=rf"rtsps://localhost:\d+/1 is not trusted: .*{REFUSED[name]}"):
        seen(serve(Jpegs, name).replace("https", "rtsps") + "/1")


@pytest.mark.parametrize("url", ["rtmps://localhost/1", "tls://localhost:1", "rtsps://127.0.0.1/1"])
def test_what_ffmpeg_cannot_prove_is_refused(url):
    with pytest.raises(StreamError, match="is not trusted: FFmpeg"):
        seen(url)
