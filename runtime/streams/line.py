"""The line to a network camera, which any thread may cut, so that nobody waits on it any longer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ssl import SSLContext
from urllib.request import HTTPHandler, HTTPSHandler, Request

from edgefuse.runtime.process.fork import Home


class Line:
    """The connections of one camera over HTTP. Thread-safe."""

    def __init__(self) -> None:
        self.is_cut = False
        self._home = Home()
        self._sockets: list[socket.socket] = []
        self._changing = threading.Lock()

    def add(self, connection: socket.socket) -> None:
        """One more connection, which is cut with the others, or at once."""
        with self._changing:
            self._sockets.append(connection)
        if self.is_cut:
            self.cut()

    def cut(self) -> None:
        """End all connections: who waits on one gets an error or the end, now and later.

        A fork ends none: they are shared.
        """
        if self._home.left:
            return
        self.is_cut = True
        with self._changing:
            for connection in self._sockets:
                with suppress(OSError):  # it is closed
                    connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """Cut it where the block takes longer: a server that sends a byte now and then never times out."""
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class LineHandler(HTTPHandler):
    """Opens connections of this line."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def http_open(self, request: Request) -> HTTPResponse:
        """See HTTPHandler."""
        line = self._line

        class Connection(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                line.add(self.sock)

        return self.do_open(Connection, request)


class SecureLineHandler(HTTPSHandler):
    """Opens connections of this line by TLS, as `context` says."""

    def __init__(self, line: Line, context: SSLContext) -> None:
        super().__init__(context=context)
        self._line = line
        self._tls = context

    def https_open(self, request: Request) -> HTTPResponse:
        """See HTTPSHandler."""
        line = self._line

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                line.add(self.sock)

        return self.do_open(Connection, request, context=self._tls)
