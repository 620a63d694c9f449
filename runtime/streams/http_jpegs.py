"""Motion JPEG over HTTP, as network cameras and web servers send it, whatever stands between the pictures.

FFmpeg wants each part to be exactly as it should be (a length, a known type, nothing after the picture); a JPEG says
itself where it ends.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import numpy as np

from edgefuse.runtime.errors import SampleError, StreamError
from edgefuse.runtime.files.jpeg import BEGIN, NoJpegError, end_of_jpeg
from edgefuse.runtime.files.limits import PICTURE_BYTES
from edgefuse.runtime.files.pictures import decode_picture
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.streams.capture import OPEN_TIMEOUT_MS, CameraFormat, CameraSource
from edgefuse.runtime.streams.certificates import not_trusted, tls_context
from edgefuse.runtime.streams.line import Line, LineHandler, SecureLineHandler

_KINDS: Final = ("multipart/x-mixed-replace", "multipart/mixed", "image/jpeg", "image/jpg")
_SAY_NOTHING: Final = ("application/octet-stream", "text/plain")
_LOOKED_AT_BYTES = 512
_READ_BYTES = 65_536
_LONGEST_PICTURE_NS = 5 * NS_PER_S
_END: Final = b"\xff\xd9"


class JpegSplitter:
    """Cuts a stream of bytes into the JPEGs in it; what is between them is skipped."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0

    def add(self, data: bytes) -> None:
        """What came next."""
        self._bytes += data

    def take(self) -> bytes | None:
        """The next picture; None until all of it is there. Raises SampleError for one that is damaged or breaks off."""
        begin = self._bytes.find(BEGIN)
        if begin:
            self._skip(begin if begin > 0 else max(0, len(self._bytes) - len(BEGIN) + 1))
        if begin < 0 or not self._may_end():
            return None
        try:
            end = end_of_jpeg(self._bytes)
        except NoJpegError as error:
            self._skip(max(1, error.at))
            raise SampleError(f"is a damaged JPEG: {error}") from error
        if end is None:
            return None
        picture = bytes(self._bytes[:end])
        self._skip(end)
        return picture

    def _may_end(self) -> bool:
        """Whether an end, or another beginning, came since this was asked last; else none needs to be looked for."""
        if len(self._bytes) > PICTURE_BYTES.value:
            self._skip(len(self._bytes))
            raise SampleError(f"is a JPEG of {PICTURE_BYTES.refusal(PICTURE_BYTES.value + 1)}")
        since = max(1, self._searched - len(BEGIN) + 1)
        found = self._bytes.find(_END, since) >= 0 or self._bytes.find(BEGIN, since) >= 0
        self._searched = len(self._bytes)
        return found

    def _skip(self, count: int) -> None:
        del self._bytes[:count]
        self._searched = 0


class HttpJpegs:
    """The Capture of a camera that sends JPEGs over HTTP, of whose answer the `first` bytes were read already.

    A server that sends one per request is asked again.
    """

    def __init__(self, source: CameraSource, response: HTTPResponse, first: bytes) -> None:
        self.format = CameraFormat(pixel_format="MJPG")
        self._name = source.name
        self._response = response
        self._splitter = JpegSplitter()
        self._splitter.add(first)
        self._picture = b""

    def grab(self) -> None:
        """See Capture."""
        until_ns = time.monotonic_ns() + _LONGEST_PICTURE_NS
        while (picture := self._splitter.take()) is None:
            if time.monotonic_ns() > until_ns:
                raise StreamError(f"{self._name} has sent no whole picture for {_LONGEST_PICTURE_NS / NS_PER_S:g} s")
            self._splitter.add(self._received())
        self._picture = picture

    def retrieve(self) -> np.ndarray:
        """See Capture."""
        return decode_picture(self._picture)

    def close(self) -> None:
        """See Capture."""
        self._response.close()

    def _received(self) -> bytes:
        try:
            data = self._response.read1(_READ_BYTES)
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a chunk whose length is no number
            why = "has stalled" if isinstance(error, TimeoutError) else f"is gone ({error or type(error).__name__})"
            raise StreamError(f"{self._name} sends no more frames: it {why}") from error
        if not data:
            raise StreamError(f"{self._name} sends no more frames: it has ended the connection")
        return data


def open_http_jpegs(source: CameraSource, line: Line) -> HttpJpegs | None:
    """The JPEGs of a URL, by `line`; None where it is not HTTP, or answers with something else, left to FFmpeg.

    Raises StreamError where the server refuses or does not answer, and where one by https is not reached or proves to
    be another.
    """
    url = urlsplit(str(source.address))
    if url.scheme not in ("http", "https"):
        return None
    try:
        with line.cut_after(OPEN_TIMEOUT_MS / 1e3):
            response = _opener(source, url, line).open(_without_password(url), timeout=OPEN_TIMEOUT_MS / 1e3)
    except urllib.error.HTTPError as error:
        raise StreamError(f"{source.name} cannot be opened: it answers {error.code} {error.reason}") from error
    except OSError as error:
        _raise_if_final(error, source, url, line)
        return None
    except (HTTPException, ValueError) as error:  # no HTTP, no such URL
        if line.is_cut:
            raise _no_answer(source) from error
        return None
    if line.is_cut:
        response.close()
        raise _no_answer(source)
    kind, first = response.headers.get_content_type(), b""
    if kind in _SAY_NOTHING:
        with suppress(OSError, HTTPException, ValueError):
            first = response.read1(_LOOKED_AT_BYTES)
    if kind in _KINDS or first.startswith((BEGIN, b"--")):  # a picture, or a boundary
        return HttpJpegs(source, response, first)
    response.close()
    return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows none from a server that has proved itself to one that need not."""

    def __init__(self, source: CameraSource) -> None:
        self._source = source

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> Any:
        """See HTTPRedirectHandler."""
        if req.type == "https" and not self._source.insecure and urlsplit(newurl).scheme != "https":
            raise not_trusted(self._source, "it leads on to another address, without https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _raise_if_final(error: OSError, source: CameraSource, url: SplitResult, line: Line) -> None:
    """Raises StreamError where FFmpeg is not to be asked too."""
    why = getattr(error, "reason", error)
    if line.is_cut or isinstance(why, TimeoutError):
        raise _no_answer(source) from error
    if isinstance(why, ssl.SSLCertVerificationError):
        raise not_trusted(source, why.verify_message.rstrip(".")) from error
    if url.scheme == "https" and not source.insecure:
        raise StreamError(f"{source.name} cannot be opened: {getattr(why, 'strerror', None) or why}") from error


def _no_answer(source: CameraSource) -> StreamError:
    return StreamError(f"{source.name} cannot be opened: it did not answer within {OPEN_TIMEOUT_MS / 1e3:g} s")


def _opener(source: CameraSource, url: SplitResult, line: Line) -> urllib.request.OpenerDirector:
    """With the name and password that the URL holds, for both ways in which a camera asks for them."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if url.username is not None:
        passwords.add_password(None, _without_password(url), unquote(url.username), unquote(url.password or ""))
    return urllib.request.build_opener(
        LineHandler(line),
        SecureLineHandler(line, tls_context(source)),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
        _Redirects(source),
    )


def _without_password(url: SplitResult) -> str:
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
