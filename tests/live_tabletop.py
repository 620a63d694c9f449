"""The default clip played live, over HTTP MJPEG and a sound server, against the clip read directly: `make live`.

Prints, for both, the share of percepts whose label is the truth of their moment, and for the live run what was
overtaken or lost, the ages of the senses at fusion, the latency and the CPU used.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "runtime" / "streams"))

from sound_server import SoundServer, until

from edgefuse.runtime import DEFAULT_CLIP, Clip, Frame
from edgefuse.runtime.streams.clip import sound_beside

EDGEFUSE = str(Path(sys.executable).with_name("edgefuse"))
TRUTH = json.loads(DEFAULT_CLIP.with_suffix(".json").read_text())["segments"]
HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
LEAD_IN_S = 4.0


class LiveTabletop:
    """A network camera that films the clip and a microphone that hears it, from `start_ns` on; empty before."""

    def __init__(self, fifo: Path) -> None:
        self.start_ns: int | None = None
        samples = list(Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False))
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
            first = 0 if self.start_ns is None else max(0, (due_ns - self.start_ns) * 16 // 1_000_000)
            pcm = self._pcm[:160] if self.start_ns is None else self._pcm[first : first + 160]
            with suppress(BlockingIOError):
                os.write(pipe, (pcm * 32767).astype(np.int16).tobytes())


def jpeg(image: np.ndarray) -> bytes:
    """A frame as the network camera sends it."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


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


def run_live(directory: Path) -> tuple[list[dict], int, float, float, str]:
    """Percepts, when the clip began, how long it is, the CPU used [s], and the summary of `edgefuse run`."""
    server = SoundServer(directory)
    os.environ.update(server.environment)
    server.start()
    server.listen_to("fifo")
    tabletop = LiveTabletop(server.fifo)
    path = directory / "live.jsonl"
    command = [EDGEFUSE, "run", "--camera", tabletop.url, "--microphone", "default", "--jsonl", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: path.exists() and '"audio": {"weight": 0.' in path.read_text()[-4000:], 60)
    time.sleep(LEAD_IN_S)
    before_s = cpu_s(process.pid)
    tabletop.start_ns = time.monotonic_ns()
    time.sleep(tabletop.seconds)
    used_s = cpu_s(process.pid) - before_s
    process.send_signal(2)
    summary, _ = process.communicate(timeout=30)
    server.kill()
    return (
        [json.loads(line) for line in path.read_text().splitlines()],
        tabletop.start_ns,
        tabletop.seconds,
        used_s,
        summary,
    )


def cpu_s(pid: int) -> float:
    """User and system time of a process so far [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run both and print."""
    fast = subprocess.run([EDGEFUSE, "run", "--fast", "--jsonl", "-"], capture_output=True, text=True, check=True)
    direct = [json.loads(line) for line in fast.stdout.splitlines()]
    with tempfile.TemporaryDirectory() as directory:
        live, start_ns, seconds, used_s, summary = run_live(Path(directory))
    print(summary)
    for name, (share, count) in {
        "clip read directly": accuracy(direct, 0, seconds),
        "the same clip live": accuracy(live, start_ns, seconds),
    }.items():
        print(f"{name}: {share:.1%} of {count} percepts have the true label")
    during = [percept for percept in live if percept["stamp_ns"] >= start_ns]
    for sense in ("image", "audio"):
        ages = [p["senses"][sense]["age_ms"] for p in during if p["senses"][sense]["valid"]]
        print(f"age of {sense} at fusion: p50 {np.percentile(ages, 50):.1f} ms, p99 {np.percentile(ages, 99):.1f} ms")
    latencies = [percept["trace"]["latency_ms"] for percept in during]
    print(f"latency: p50 {np.percentile(latencies, 50):.1f} ms, p99 {np.percentile(latencies, 99):.1f} ms")
    print(f"CPU of `edgefuse run`: {used_s / seconds:.0%} of one core")


if __name__ == "__main__":
    main()
