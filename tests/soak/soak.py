"""Two perceivers at once, for an hour at twice the real rate, on a network camera and microphones: `make soak`.

Both are in one process, where they share what could be in each other's way: the interpreter's lock, the allocator,
PortAudio (of which a process has one), OpenCV and ONNX Runtime. Each has a camera and a microphone of its own. Twice
the real rate is: 60 pictures a second instead of 30, blocks of sound of 10 ms instead of 20, and its encoder run every
100 ms instead of every 200, on two microphones, since a microphone's own time cannot be hastened.

Prints a line a minute: memory, threads, descriptors and CPU of this process, how many percepts came, their latency,
and since the beginning the sound lost, the hops and frames overtaken and the faults (samples that could not be used,
devices lost). At the end the slope of each, without the warm-up, with its confidence interval. Exit code 1 where
memory, threads or descriptors rise, sound was lost, or a run ended by itself. `--output` holds all of it, at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime" / "streams"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from sealed import edit
from slope import Slope, slope_from
from sound_server import SoundServer

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    AudioChunk,
    Camera,
    Clip,
    Microphone,
    Perceiver,
    Percept,
    RunStatistics,
    deliver,
)
from edgefuse.runtime.files.whole_file import check_writable, write_whole
from edgefuse.runtime.streams.clip import sound_beside

MUST_NOT_RISE = ("memory_mb", "threads", "descriptors")
BUSY = ("overtaken", "stale")
READ_EVERY_S = 60.0
READINGS_AT_LEAST = 20
WARM_UP_S = 300.0
"""The slowest to fill is the 10,000 latencies of RunStatistics: 167 s."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one minute was like; the last three count from the beginning."""

    at_s: float
    memory_mb: float
    threads: int
    descriptors: int
    cpu_cores: float
    percepts_hz: float
    p50_ms: float
    p99_ms: float
    sound_lost_ms: float
    overtaken: int
    faults: int


class Latencies:
    """The sink that holds the latencies since they were last taken."""

    def __init__(self) -> None:
        self._since: list[float] = []

    def write(self, percept: Percept) -> None:
        """See Sink."""
        self._since.append(percept.trace.latency_ms)

    def close(self) -> None:
        """See Sink."""

    def take(self) -> list[float]:
        """Those since, in milliseconds."""
        since, self._since = self._since, []
        return since


class Soaked:
    """A perceiver on devices of its own; `over` is set when its run has ended, which `error` says why."""

    def __init__(self, bundle: Path, url: str) -> None:
        self.latencies = Latencies()
        self.over = threading.Event()
        self.error: str | None = None
        self._perceiver = Perceiver.open(bundle)
        self._camera, self._microphone = Camera(url), Microphone(block_ms=10.0)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def sound_lost_ms(self) -> float:
        """Of what the encoder's window should have held: what the microphone lost, and what came and was refused."""
        return self._perceiver.drops()["audio"].get("gap", 0) / 16

    @property
    def overtaken(self) -> int:
        """Frames and hops that were not looked at, since newer ones had come, or too late: the machine was busy."""
        drops = self._perceiver.drops().values()
        return sum(counts.get(reason, 0) for counts in drops for reason in BUSY)

    @property
    def faults(self) -> int:
        """Samples that were of no use, clocks that were set back, and devices lost."""
        drops = self._perceiver.drops().values()
        refused = sum(n for counts in drops for reason, n in counts.items() if reason not in (*BUSY, "gap"))
        lost = sum(device.health.broken + device.health.reconnects for device in self._devices)
        return refused + self._perceiver.set_back() + lost

    def close(self) -> None:
        """End it and wait for that."""
        for device in self._devices:
            device.close()
        self._thread.join()

    @property
    def _devices(self) -> tuple[Camera, Microphone]:
        return self._camera, self._microphone

    def _run(self) -> None:
        try:
            deliver(self._perceiver.perceive(*self._devices), [RunStatistics(), self.latencies])
        except Exception as error:  # a thread's border: told in the end
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.over.set()


class Meter:
    """Reads this process and its perceivers."""

    def __init__(self, soaked: Sequence[Soaked]) -> None:
        self._soaked = soaked
        self._begun_s = self._last_s = time.monotonic()
        self._cpu_s = time.process_time()

    def read(self) -> Reading:
        """Since it was last read."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        took_s, used_s = now_s - self._last_s, cpu_s - self._cpu_s
        self._last_s, self._cpu_s = now_s, cpu_s
        latencies_ms = [ms for one in self._soaked for ms in one.latencies.take()]
        p50_ms, p99_ms = np.percentile(latencies_ms, (50, 99)) if latencies_ms else (np.nan, np.nan)
        return Reading(
            at_s=round(now_s - self._begun_s, 1),
            memory_mb=round(resident_mb(), 3),
            threads=len(os.listdir("/proc/self/task")),
            descriptors=len(os.listdir("/proc/self/fd")),
            cpu_cores=round(used_s / took_s, 3),
            percepts_hz=round(len(latencies_ms) / took_s, 2),
            p50_ms=round(float(p50_ms), 3),
            p99_ms=round(float(p99_ms), 3),
            sound_lost_ms=round(sum(one.sound_lost_ms for one in self._soaked), 1),
            overtaken=sum(one.overtaken for one in self._soaked),
            faults=sum(one.faults for one in self._soaked),
        )


def resident_mb() -> float:
    """Memory of this process that is in RAM [MB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def bundle_of_half_hops(directory: Path) -> Path:
    """The default bundle, whose audio encoder runs twice as often."""

    def halve(manifest: dict) -> None:
        audio = next(sense for sense in manifest["modalities"] if sense["name"] == "audio")
        audio["hop_samples"] //= 2

    return edit(Path(shutil.copytree(DEFAULT_BUNDLE, directory / "bundle")), halve)


@contextmanager
def film() -> Iterator[str]:
    """The URL of a network camera of 60 Hz."""
    script = Path(__file__).with_name("film.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def sound(directory: Path) -> Iterator[None]:
    """The default microphone hears the clip over and over."""
    chunks = [s.pcm for s in Clip(None, sound_beside(DEFAULT_CLIP), live=False) if isinstance(s, AudioChunk)]
    raw, fifo = directory / "clip.raw", directory / "played"
    raw.write_bytes((resample_poly(np.concatenate(chunks), 3, 1).clip(-1, 1) * 32767).astype(np.int16).tobytes())
    os.mkfifo(fifo)
    server = SoundServer(directory)
    os.environ.update(server.environment)
    server.start()
    server.listen_to("robot.monitor")
    server.play(fifo)
    with subprocess.Popen(["sh", "-c", f"while cat {raw}; do :; done > {fifo}"], stderr=subprocess.DEVNULL) as player:
        try:
            yield
        finally:
            server.kill()  # then nobody reads what is played, which ends that as well
            player.wait()


def slopes_from(readings: Sequence[Reading], warm_up_s: float) -> dict[str, Slope]:
    """By figure, of those that do not count from the beginning."""
    warm = [reading for reading in readings if reading.at_s > warm_up_s]
    names = [field.name for field in fields(Reading)][1:-3]
    if len(warm) < READINGS_AT_LEAST // 2:
        return {}
    return {name: slope_from([r.at_s for r in warm], [getattr(r, name) for r in warm]) for name in names}


def soak(seconds: float, output: Path) -> int:
    """Run, and print; the exit code."""
    every_s = min(READ_EVERY_S, seconds / READINGS_AT_LEAST)
    warm_up_s = min(WARM_UP_S, seconds / 4)
    readings: list[Reading] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(film())
        stack.enter_context(sound(directory))
        bundle = bundle_of_half_hops(directory)
        soaked = [Soaked(bundle, url) for _ in range(2)]
        for one in soaked:
            stack.callback(one.close)
        meter = Meter(soaked)
        print("  ".join(f"{field.name:>7}" for field in fields(Reading)))
        while (not readings or readings[-1].at_s + every_s <= seconds) and not any(one.over.is_set() for one in soaked):
            soaked[0].over.wait(every_s)
            readings.append(meter.read())
            print(
                "  ".join(f"{value!s:>{max(6, len(name))}}" for name, value in asdict(readings[-1]).items()), flush=True
            )
            slopes = slopes_from(readings, warm_up_s)
            write(output, readings, slopes)
        ended = [one.error or "a run came to its end by itself" for one in soaked if one.over.is_set()]
    return report(readings, slopes, ended)


def row(reading: Reading) -> str:
    """One line of the table, under the names."""
    return "  ".join(f"{value!s:>{max(7, len(name))}}" for name, value in asdict(reading).items())


def write(output: Path, readings: Sequence[Reading], slopes: dict[str, Slope]) -> None:
    """All of it so far."""
    told = {name: asdict(slope) | {"verdict": slope.verdict} for name, slope in slopes.items()}
    held = {"slopes_per_hour": told, "readings": [asdict(reading) for reading in readings]}
    write_whole(output, json.dumps(held, indent=1).encode())


def report(readings: Sequence[Reading], slopes: dict[str, Slope], ended: Sequence[str]) -> int:
    """Print what it came to; the exit code."""
    print(f"\n{'':12} {'last':>9} {'per hour':>9}  99 % confidence")
    for name, slope in slopes.items():
        last = getattr(readings[-1], name)
        print(f"{name:12} {last:9.2f} {slope.per_hour:9.2f}  {slope.low:8.2f} .. {slope.high:.2f}  {slope.verdict}")
    last = readings[-1]
    print(f"sound lost {last.sound_lost_ms} ms, overtaken {last.overtaken}, faults {last.faults}")
    wrong = [f"{name} rises" for name in MUST_NOT_RISE if name in slopes and slopes[name].verdict == "rises"]
    wrong += [f"{last.sound_lost_ms} ms of sound were lost"] if last.sound_lost_ms else []
    wrong += [] if slopes else ["too few readings for a slope"]
    wrong += ended
    print("; ".join(wrong) or "nothing grows, and no sound was lost")
    return 1 if wrong else 0


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--output", type=Path, default=Path("soak.json"))
    chosen = parser.parse_args()
    check_writable(chosen.output)
    sys.exit(soak(chosen.seconds, chosen.output))


if __name__ == "__main__":
    main()
