"""The default clip played live, over HTTP MJPEG and a sound server, against the clip read directly: `make live`.

Prints, for both, the share of percepts whose label is the truth of their moment, and for the live run what was
overtaken or lost, the ages of the senses at fusion, the latency and the CPU used. With `--late-ms 200` the sound comes
that much too late, and a third run uses what `edgefuse calibrate sync` then measures on flashes and beeps.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "runtime" / "streams"))
sys.path.insert(0, str(Path(__file__).parent / "calibration"))

import flashes
from sound_server import SoundServer, until

from edgefuse.runtime import DEFAULT_CLIP, Clip, Frame, Sample
from edgefuse.runtime.streams.clip import sound_beside

EDGEFUSE = str(Path(sys.executable).with_name("edgefuse"))
TRUTH = json.loads(DEFAULT_CLIP.with_suffix(".json").read_text())["segments"]
SECONDS = max(segment["end_s"] for segment in TRUTH)
HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
LEAD_IN_S = 4.0
FLASHES_S = 30.0


class LiveScene:
    """A network camera that films samples and a microphone that hears them, from `start_ns` on; their first before.

    The sound comes `late_ms` after the picture.
    """

    def __init__(self, fifo: Path, samples: list[Sample], late_ms: float) -> None:
        self.start_ns: int | None = None
        self._late_ns = round(late_ms * 1e6)
        self._frames = [(s.stamp_ns, jpeg(s.image)) for s in samples if isinstance(s, Frame)]
        self._pcm = np.concatenate([s.pcm for s in samples if not isinstance(s, Frame)])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/video.mjpg"
        for target in (self._film, lambda: self._speak(fifo)):
            threading.Thread(target=target, daemon=True).start()

    @property
    def seconds(self) -> float:
        """How long the clip is."""
        return len(self._pcm) / 16_000

    def _film(self) -> None:
        viewer, _ = self._listener.accept()
        viewer.recv(4096)
        viewer.sendall(HEADER)
        with suppress(OSError):
            while self.start_ns is None:
                viewer.sendall(part(self._frames[0][1]))
                time.sleep(1 / 30)
            for stamp_ns, picture in self._frames:
                time.sleep(max(0, self.start_ns + stamp_ns - time.monotonic_ns()) / 1e9)
                viewer.sendall(part(picture))

    def _speak(self, fifo: Path) -> None:
        pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        begun_ns = time.monotonic_ns()
        for block in range(1 << 30):
            due_ns = begun_ns + block * 10_000_000
            time.sleep(max(0, due_ns + 10_000_000 - time.monotonic_ns()) / 1e9)
            since_ns = 0 if self.start_ns is None else due_ns - self._late_ns - self.start_ns
            first = max(0, since_ns * 16 // 1_000_000)
            pcm = self._pcm[first : first + 160]
            with suppress(BlockingIOError):
                os.write(pipe, (pcm * 32767).astype(np.int16).tobytes())


def jpeg(image: np.ndarray) -> bytes:
    """An RGB picture as the network camera sends it, in its own size."""
    image = cv2.resize(image, (640, 480), interpolation=cv2.INTER_NEAREST) if len(image) < 480 else image
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def part(picture: bytes) -> bytes:
    """One part of the multipart answer."""
    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return head.encode() + picture + b"\r\n"


def accuracy(percepts: list[dict], start_ns: int, seconds: float) -> tuple[float, int]:
    """Share of the percepts that speak of the clip's time whose label is the truth, and how many they are.

    Where picture and voice contradict each other, no label is the truth.
    """
    right = [
        percept["label"] == segment["label"]
        for percept in percepts
        for segment in TRUTH
        if segment["label"] is not None
        and segment["start_s"] <= (percept["stamp_ns"] - start_ns) / 1e9 < min(segment["end_s"], seconds)
    ]
    return float(np.mean(right)), len(right)


def run_live(directory: Path, late_ms: float = 0, sync: Path | None = None) -> tuple[list[dict], int, float, str]:
    """Percepts, when the clip began, the CPU used [s] per second of it, and the summary of `edgefuse run`."""
    clip = list(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
    path = directory / "live.jsonl"
    path.unlink(missing_ok=True)
    with live_scene(directory, clip, late_ms) as (scene, devices):
        command = [EDGEFUSE, "run", *devices, "--jsonl", str(path), *(["--sync", str(sync)] if sync else [])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: path.exists() and '"audio": {"weight": 0.' in path.read_text()[-4000:], 60)
        time.sleep(LEAD_IN_S)
        before_s = cpu_s(process.pid)
        scene.start_ns = time.monotonic_ns()
        time.sleep(scene.seconds + late_ms / 1e3)
        used_s = cpu_s(process.pid) - before_s
        process.send_signal(2)
        summary, _ = process.communicate(timeout=30)
    percepts = [json.loads(line) for line in path.read_text().splitlines()]
    return percepts, scene.start_ns, used_s / scene.seconds, summary


def calibrate_sync(directory: Path, late_ms: float) -> Path:
    """What `edgefuse calibrate sync` measures of a lamp that flashes and beeps before these devices."""
    rng, path = np.random.default_rng(7), directory / "sync.json"
    times = flashes.moments(FLASHES_S, rng)
    sound = flashes.chunks(times, FLASHES_S, flashes.Clocks(0.0), 12.0, rng)
    lamp: list[Sample] = [*flashes.frames(times, FLASHES_S, rng), *sound]
    with live_scene(directory, lamp, late_ms) as (scene, devices):
        command = [EDGEFUSE, "calibrate", "sync", *devices, "--seconds", str(LEAD_IN_S + FLASHES_S), "-o", str(path)]
        process = subprocess.Popen(command)
        time.sleep(LEAD_IN_S)
        scene.start_ns = time.monotonic_ns()
        if process.wait(timeout=2 * FLASHES_S):
            sys.exit("nothing to compare: the calibration failed")
    return path


@contextmanager
def live_scene(directory: Path, samples: list[Sample], late_ms: float) -> Iterator[tuple[LiveScene, list[str]]]:
    """Samples on a camera and a microphone, and the options that name these to `edgefuse`."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        server = SoundServer(Path(place))
        os.environ.update(server.environment)
        server.start()
        server.listen_to("fifo")
        scene = LiveScene(server.fifo, samples, late_ms)
        try:
            yield scene, ["--camera", scene.url, "--microphone", "default"]
        finally:
            server.kill()


def cpu_s(pid: int) -> float:
    """User and system time of a process so far [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(name: str, percepts: list[dict], start_ns: int) -> None:
    """How often it is right."""
    share, count = accuracy(percepts, start_ns, SECONDS)
    print(f"{name}: {share:.1%} of {count} percepts have the true label")


def main() -> None:
    """Run them and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--late-ms", type=float, default=0.0, help="by how much the sound comes late")
    late_ms = parser.parse_args().late_ms
    fast = subprocess.run([EDGEFUSE, "run", "--fast", "--jsonl", "-"], capture_output=True, text=True, check=True)
    direct = [json.loads(line) for line in fast.stdout.splitlines()]
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        live, start_ns, cpu_share, summary = run_live(directory, late_ms)
        print(summary)
        report("clip read directly", direct, 0)
        report(f"the same clip live, sound {late_ms:.0f} ms late", live, start_ns)
        if late_ms:
            synced, synced_ns, _, _ = run_live(directory, late_ms, calibrate_sync(directory, late_ms))
            report("the same, calibrated", synced, synced_ns)
    during = [percept for percept in live if percept["stamp_ns"] >= start_ns]
    for sense in ("image", "audio"):
        ages = [p["senses"][sense]["age_ms"] for p in during if p["senses"][sense]["valid"]]
        print(f"age of {sense} at fusion: p50 {np.percentile(ages, 50):.1f} ms, p99 {np.percentile(ages, 99):.1f} ms")
    latencies = [percept["trace"]["latency_ms"] for percept in during]
    print(f"latency: p50 {np.percentile(latencies, 50):.1f} ms, p99 {np.percentile(latencies, 99):.1f} ms")
    print(f"CPU of `edgefuse run`: {cpu_share:.0%} of one core")


if __name__ == "__main__":
    main()
