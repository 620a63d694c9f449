"""Whom a camera's URL leads to: a server proves itself by its certificate, chain and host name, or is refused.

What Python opens, it proves itself. FFmpeg proves nobody unless it is told to, no server that is named by an IP
address, and nothing that a playlist names.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edgefuse.runtime.errors import StreamError
from edgefuse.runtime.streams.capture import OPEN_TIMEOUT_MS, CameraSource

_RTSPS_PORT: Final = 322
_UNPROVED: Final = ("rtmps", "rtmpts", "tls", "dtls", "wss", "ftps", "srtps")
_AUTHORITIES: Final = (  # where Linux keeps those that the computer trusts, if Python does not say
    *("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"),
    *("/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"),
)
_PROTOCOLS: Final = "https,tls,tcp,crypto,data"
_FORMATS: Final = (  # that name no other address, as playlists do
    "mov,matroska,mpegts,flv,live_flv,avi,ogg,asf,mpeg,mpegvideo,mpjpeg,mjpeg,jpeg_pipe,png_pipe,h264,hevc,m4v,ivf,obu"
)


def tls_context(source: CameraSource) -> ssl.SSLContext:
    """How Python connects to it."""
    context = ssl.create_default_context()
    if source.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def not_trusted(source: CameraSource, why: str) -> StreamError:
    """The error of a server that proves nothing."""
    return StreamError(f"{source.name} is not trusted: {why}; --insecure (insecure=True) takes it unproved")


def check_provable(source: CameraSource) -> None:
    """Raises StreamError where FFmpeg would have to prove what it cannot, and for what proves to be another."""
    url = urlsplit(str(source.address))
    if source.kind != "url" or source.insecure or url.scheme not in ("https", "rtsps", *_UNPROVED):
        return
    if url.scheme in _UNPROVED:
        raise not_trusted(source, f"FFmpeg proves no server by {url.scheme}")
    host = url.hostname or ""
    if _is_number(host):
        raise not_trusted(source, "FFmpeg compares a certificate with a host name only, not with an IP address")
    if url.scheme == "rtsps":
        _shake_hands(source, host, url.port or _RTSPS_PORT)


def options_for(source: CameraSource) -> dict[str, str]:
    """What FFmpeg is told, so that it proves servers as well, and none of them leads it elsewhere unproved."""
    if source.kind != "url" or source.insecure:
        return {}
    options = {"tls_verify": "1"}
    if urlsplit(str(source.address)).scheme == "https":
        options |= {"protocol_whitelist": _PROTOCOLS, "format_whitelist": _FORMATS}
    trusted = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
    file = next((path for path in trusted if path is not None and Path(path).is_file()), None)
    return options if file is None else options | {"ca_file": file}


def _shake_hands(source: CameraSource, host: str, port: int) -> None:
    """Ahead of FFmpeg, which does so again, but does not say why it refuses."""
    try:
        with (
            socket.create_connection((host, port), OPEN_TIMEOUT_MS / 1e3) as connection,
            tls_context(source).wrap_socket(connection, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        raise not_trusted(source, error.verify_message.rstrip(".")) from error
    except OSError as error:
        raise StreamError(f"{source.name} cannot be opened: {error.strerror or error}") from error


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
