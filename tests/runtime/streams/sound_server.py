"""A real microphone without hardware: a private PulseAudio server that ALSA, and so PortAudio, takes for the default.

Two sources: the monitor of the null sink `robot` (what is played is heard), and `fifo`, a pipe that the test feeds
sample by sample, the most exact of microphones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

FIFO_HZ = 16_000
_FIFO_BLOCK = 160
CHANNEL_MAPS = {1: "mono", 2: "front-left,front-right", 4: "front-left,front-right,rear-left,rear-right"}
"""By number of channels, as ALSA has them."""


class SoundServer:
    """Owns a PulseAudio process below `directory`, reached through the environment variables in `environment`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "native"
        self.fifo = directory / "fifo"
        self.environment = {
            "PULSE_RUNTIME_PATH": str(directory),
            "PULSE_STATE_PATH": str(directory / "state"),
            "PULSE_SERVER": f"unix:{self._socket}",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server and keep its sink awake with silence, since an idle one wakes up 1.6 s late."""
        for leftover in (self._socket, self.fifo):
            leftover.unlink(missing_ok=True)
        modules = (
            f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
            "module-null-sink sink_name=robot rate=48000 norewinds=1",
            f"module-pipe-source source_name=fifo file={self.fifo} format=s16le rate={FIFO_HZ} channels=1",
        )
        flags = "-n --daemonize=no --system=no --exit-idle-time=-1 --use-pid-file=no --disable-shm=yes"
        flags += " --realtime=no --high-priority=no"
        self._run("pulseaudio", *flags.split(), *(f"--load={module}" for module in modules))
        until(lambda: self.control("info") == 0)
        self.play(Path("/dev/zero"))

    def listen_to(self, source: str) -> None:
        """Make `robot.monitor` or `fifo` the default microphone."""
        until(lambda: self.control("set-default-source", source) == 0)

    def play(self, raw: Path, sink: str = "robot", channels: int = 1) -> None:
        """Play a file of s16le at 48 kHz into a sink."""
        form = ("--raw", "--rate=48000", f"--channels={channels}", "--format=s16le", "--latency-msec=20")
        self._run("pacat", *form, f"--channel-map={CHANNEL_MAPS[channels]}", f"--device={sink}", str(raw))

    def add_sink(self, name: str, channels: int) -> None:
        """Another sink like `robot`, of so many channels, whose monitor becomes the default microphone."""
        form = f"rate=48000 norewinds=1 channels={channels} channel_map={CHANNEL_MAPS[channels]}"
        until(lambda: self.control("load-module", "module-null-sink", f"sink_name={name}", *form.split()) == 0)
        self.listen_to(f"{name}.monitor")

    def control(self, *arguments: str) -> int:
        """Run pactl; its exit code."""
        environment = os.environ | self.environment
        return subprocess.run(["pactl", *arguments], env=environment, capture_output=True, timeout=10).returncode

    def kill(self) -> None:
        """Kill the server and its players, as a crash would."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()

    def _run(self, *command: str) -> None:
        environment = os.environ | self.environment
        quiet = subprocess.DEVNULL
        self._processes.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))


class FifoFeeder:
    """Feeds the pipe source in real time: silence with a click every half second, at known times.

    `drift_ppm` makes its clock faster than the computer's; `paused` starves the microphone; the sound meant for that
    time is lost.
    """

    def __init__(self, fifo: Path, drift_ppm: float = 0.0) -> None:
        self.clicks_ns: list[int] = []
        self.paused = threading.Event()
        self._rate_hz = FIFO_HZ * (1 + drift_ppm / 1e6)
        self._fifo = fifo
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the feeding; close the microphone first."""
        self._stopped.set()
        self._thread.join(5)

    def _feed(self) -> None:
        pipe = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK)
        start_ns, fed = time.monotonic_ns(), 0
        while not self._stopped.is_set():
            block = np.full(_FIFO_BLOCK, 3, np.int16)
            first_ns = start_ns + round(fed / self._rate_hz * 1e9)
            fed += _FIFO_BLOCK
            time.sleep(max(0.0, (start_ns + fed / self._rate_hz * 1e9 - time.monotonic_ns()) / 1e9))
            if self.paused.is_set():
                continue
            if fed // _FIFO_BLOCK % 50 == 0:
                block[0] = 20_000
                self.clicks_ns.append(first_ns)
            with suppress(BlockingIOError):  # nobody listens, and the pipe is full
                os.write(pipe, block.tobytes())
        os.close(pipe)


def missing_programs() -> list[str]:
    """What must be installed for a sound server to run here."""
    return [name for name in ("pulseaudio", "pactl", "pacat") if shutil.which(name) is None]


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> float:
    """Wait for a condition; how long it took [s]. Raises TimeoutError where it does not come true."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit_s:
            raise TimeoutError(f"not so within {limit_s:g} s")
        time.sleep(0.01)
    return time.monotonic() - begun
