"""The watchdog: keeps one device open for ever. The only place where a stream's states change.

    starting -> live <-> stalled -> lost <-> reconnecting -> live ...        any -> ended

A device only opens, reads and closes; it knows nothing of states, and only the watchdog's thread uses it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Generic, Protocol, TypeVar

from edgefuse.runtime.arguments import number_in
from edgefuse.runtime.errors import BrokenFileError, EndOfFileError, SampleError, StreamError
from edgefuse.runtime.process.at_exit import close_at_exit, forget, inside
from edgefuse.runtime.process.fork import Home
from edgefuse.runtime.samples import NS_PER_S
from edgefuse.runtime.senses.drops import Kinds
from edgefuse.runtime.streams import StreamState
from edgefuse.runtime.streams.faults import faults_of

_CLOSE_TIMEOUT_S = 3.0
_LONGEST_WAIT_S = 86_400.0
S_co = TypeVar("S_co", covariant=True)
S = TypeVar("S")

log = logging.getLogger(__name__)


class Device(Protocol[S_co]):
    """A camera or a microphone, as the watchdog sees it."""

    name: str

    def open(self) -> None:
        """Open it, or open it again after `close`; raises StreamError with one line that says what is there instead.

        Whatever else is raised here or by `read` is a fault of this device as well.
        """
        ...

    def read(self) -> S_co | None:
        """The next sample, or None if none came within about a tenth of a second (a driver's own wait may be longer).

        Raises SampleError for one that cannot be used, StreamError if the device is gone, EndOfFileError at the end of
        a file, and BrokenFileError where a file breaks off.
        """
        ...

    def close(self) -> None:
        """Let go of it, whether or not it is open; what is raised is only logged."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the watchdog waits [s]: for a device's first sample, for later ones, and before each new try."""

    first_sample_s: float = 5.0
    stalled_after_s: float = 0.5
    lost_after_s: float = 2.0
    retry_first_s: float = 0.05
    retry_longest_s: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            number_in(field.name, getattr(self, field.name), 1e-3, _LONGEST_WAIT_S, "s")


class Watchdog(Generic[S]):
    """Reads a device in a thread of its own (`start`) or in the caller's (`run`), opens it again whenever it is lost,
    and hands every sample to `deliver`.

    A device that cannot be opened the first time ends it, with that error; later losses are states, whatever a library
    raised. Samples that cannot be used are `broken`; `skipped` says why the last one was. `deliver` and `ended` are
    called in the thread that reads; `interrupt`, in the one that stops it, makes the device wait no longer.
    """

    def __init__(
        self,
        device: Device[S],
        deliver: Callable[[S], None],
        ended: Callable[[], None],
        patience: Patience | None = None,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self.reconnects = 0
        self.samples = 0
        self.broken = 0
        self.error: str | None = None
        self.skipped: str | None = None
        self._home = Home()
        self._kinds = Kinds()
        self._device = device
        self._deliver = deliver
        self._ended = ended
        self._interrupt = interrupt
        self._patience = patience or Patience()
        self._state: StreamState = "starting"
        self._heard_ns = 0
        self._failure: Exception | None = None
        self._opened = False
        self._started = threading.Lock()
        self._start_decided = threading.Event()
        self._closing = threading.Event()
        self._over = threading.Event()
        self._reader: threading.Thread | None = None

    @property
    def state(self) -> StreamState:
        """Now; a live device that has been silent for a while is stalled, even while its driver blocks."""
        silent_ns = time.monotonic_ns() - self._heard_ns
        if self._state == "live" and silent_ns > self._patience.stalled_after_s * NS_PER_S:
            return "stalled"
        return self._state

    def start(self) -> None:
        """Start once, and wait until the device is open; raises StreamError if it cannot be opened."""
        self._home.check("stream")
        if not self._closing.is_set() and self._started.acquire(blocking=False):
            threading.Thread(target=self._run, name=f"watchdog of {self._device.name}", daemon=True).start()
        self._start_decided.wait()
        if not self._opened:
            self.raise_failure()

    def run(self) -> None:
        """Read in this thread until the end; if it is read in another already, wait for that."""
        if self._closing.is_set():
            return
        if self._started.acquire(blocking=False):
            self._run()
        else:
            self._over.wait()

    def raise_failure(self) -> None:
        """Raise what ended the thread, if it was neither `stop` nor the end of a file."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Wait until the device is closed; a driver that hangs for longer than 3 s is left behind.

        In a fork it does nothing: the device is the parent's.
        """
        if self._home.left:
            return
        self._closing.set()
        self._start_decided.set()
        self._interrupt()
        if self._reader is not None and threading.current_thread() is not self._reader:
            self._over.wait(_CLOSE_TIMEOUT_S)
        self._state = "ended"

    def _run(self) -> None:
        self._reader = threading.current_thread()
        close_at_exit(self, Watchdog.stop)
        try:
            with inside:
                self._keep_open()
        except Exception as error:  # a thread's border: whoever iterates gets it
            self.error, self._failure = str(error), error
        finally:
            if self.broken:
                log.warning(
                    "%s: %d samples could not be used; the last: it %s", self._device.name, self.broken, self.skipped
                )
            self._state = "ended"
            self._start_decided.set()
            self._ended()
            self._over.set()
            forget(self)

    def _keep_open(self) -> None:
        wait_s = self._patience.retry_first_s
        while not self._closing.is_set():
            try:
                self._open()
                self._read_until_lost()
            except EndOfFileError:
                return
            except BrokenFileError:
                raise
            except StreamError as error:
                if self._closing.is_set():
                    return
                if not self._opened:
                    raise
                if self._state == "live":
                    wait_s = self._patience.retry_first_s
                self._lose(error)
            finally:
                self._let_go()
            self._closing.wait(wait_s)
            wait_s = min(2 * wait_s, self._patience.retry_longest_s)

    def _open(self) -> None:
        if self._opened:
            self._state = "reconnecting"
        with faults_of(self._device.name):
            self._device.open()
        self._opened = True
        self._start_decided.set()
        self._heard_ns = time.monotonic_ns()

    def _let_go(self) -> None:
        try:
            with faults_of(self._device.name):
                self._device.close()
        except StreamError as error:
            log.warning("closing: %s", error)

    def _read_until_lost(self) -> None:
        while not self._closing.is_set():
            sample = self._read()
            if sample is not None:
                self._hear()
                self._deliver(sample)
            else:
                self._check_silence()

    def _read(self) -> S | None:
        try:
            with faults_of(self._device.name):
                return self._device.read()
        except SampleError as error:
            self.broken += 1
            self.skipped = str(error)
            if self._kinds.is_new(error):
                log.warning("%s: a sample was skipped (more such are only counted): it %s", self._device.name, error)
            return None

    def _hear(self) -> None:
        self._heard_ns = time.monotonic_ns()
        self.samples += 1
        if self._state == "reconnecting":
            self.reconnects += 1
            log.warning("%s is back", self._device.name)
        self._state = "live"

    def _check_silence(self) -> None:
        limit_s = self._patience.lost_after_s if self._state == "live" else self._patience.first_sample_s
        if time.monotonic_ns() - self._heard_ns > limit_s * NS_PER_S:
            useful, last = ("", "") if self.skipped is None else (" that can be used", f": the last {self.skipped}")
            raise StreamError(f"{self._device.name} is open but has sent nothing{useful} for {limit_s:g} s{last}")

    def _lose(self, error: StreamError) -> None:
        if self._state in ("starting", "live"):
            log.warning("lost a stream, trying again for ever: %s", error)
        self.error = str(error)
        self._state = "lost"
