"""However a program ends that perceives, its streams and threads are closed, and it ends with its own code."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mcap.reader import make_reader
from sound_server import FifoFeeder

TIMES = 4
"""Of each: what goes wrong in a race goes wrong now and then."""

WRONG = "terminate called|FATAL|Fatal Python error|Traceback|Exception ignored"

BEGIN = """
import sys, threading
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Camera, Clip, Frame, Microphone, Perceiver, Recorder

def said(camera, microphone):
    print(camera.state, microphone.state, flush=True)

def daemon(perceive, percepts=5):
    enough = threading.Event()

    def run():
        for number, percept in enumerate(perceive()):
            if number == percepts:
                enough.set()

    threading.Thread(target=run, daemon=True).start()
    assert enough.wait(60)

perceiver = Perceiver.open(DEFAULT_BUNDLE, selftest=False)
camera, microphone = Camera(sys.argv[1]), Microphone()
"""

LIVE = {
    "an exception in the loop": """
        try:
            for percept in perceiver.perceive(camera, microphone):
                raise ZeroDivisionError
        except ZeroDivisionError:
            said(camera, microphone)
        """,
    "break": """
        for percept in perceiver.perceive(camera, microphone):
            break
        said(camera, microphone)
        """,
    "a generator that nobody holds": """
        percepts = perceiver.perceive(camera, microphone)
        next(percepts)
        del percepts
        said(camera, microphone)
        """,
    "sys.exit within": """
        import atexit
        atexit.register(said, camera, microphone)
        percepts = perceiver.perceive(camera, microphone)
        for percept in percepts:
            sys.exit(0)
        """,
    "a generator that is left": """
        import atexit
        atexit.register(said, camera, microphone)
        percepts = perceiver.perceive(camera, microphone)
        next(percepts)
        """,
    "a daemon thread": """
        import atexit
        atexit.register(said, camera, microphone)
        daemon(lambda: perceiver.perceive(camera, microphone))
        """,
    "a daemon thread of devices that were entered": """
        import atexit
        atexit.register(said, camera, microphone)
        camera.__enter__(), microphone.__enter__()
        daemon(lambda: perceiver.perceive(camera, microphone))
        """,
}

OTHERS = {
    "a daemon thread on a clip": """
        daemon(lambda: perceiver.perceive(Clip(DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav"), live=False)))
        """,
    "a daemon thread that pushes": """
        import time
        import numpy as np
        def perceive():
            while True:
                perceiver.push(Frame(time.monotonic_ns(), np.zeros((480, 640, 3), np.uint8)))
                yield perceiver.step()
        daemon(perceive)
        """,
    "devices that were only entered": """
        camera.__enter__()
        """,
}


def run_often(code: str, url: str, times: int = TIMES) -> list[subprocess.CompletedProcess[str]]:
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(code), url]
    return [subprocess.run(command, capture_output=True, text=True, timeout=30) for _ in range(times)]


def check_ends(programs: list[subprocess.CompletedProcess[str]], said: str) -> None:
    """In order; soxr's binding says on the standard error what a thread still held that the interpreter took away."""
    assert [(one.returncode, one.stdout) for one in programs] == [(0, said)] * len(programs)
    for one in programs:
        assert not re.search(WRONG, one.stderr), one.stderr


@pytest.fixture
def url(mjpeg_server, sound_server):
    sound_server.listen_to("fifo")
    feeder = FifoFeeder(sound_server.fifo)
    yield mjpeg_server.url
    feeder.stop()


@pytest.mark.slow
@pytest.mark.parametrize("way", LIVE)
def test_a_live_run_is_closed_whatever_ends_it(way: str, url: str):
    check_ends(run_often(LIVE[way], url), "ended ended\n")


@pytest.mark.slow
@pytest.mark.parametrize("way", OTHERS)
def test_no_thread_of_ours_outlives_the_interpreter(way: str, mjpeg_server):
    check_ends(run_often(OTHERS[way], mjpeg_server.url), "")


def test_a_recording_that_nobody_closed_is_finished(mjpeg_server, tmp_path: Path):
    code = f"""
        recorder = Recorder({str(tmp_path / "run.mcap")!r}, perceiver.bundle)
        percepts = perceiver.perceive(camera, watchers=[recorder])
        for _ in range(3):
            recorder.write(next(percepts))
        """
    (ended,) = run_often(code, mjpeg_server.url, times=1)
    assert (ended.returncode, ended.stderr) == (0, "")
    with (tmp_path / "run.mcap").open("rb") as file:
        assert make_reader(file).get_summary().statistics.message_count > 3


FORK = """
    import itertools, os, time
    from edgefuse.runtime import EdgefuseError, Text

    recorder = Recorder("run.mcap", perceiver.bundle)
    percepts = perceiver.perceive(camera, microphone, watchers=[recorder])

    def attempt(use):
        try:
            use()
        except EdgefuseError as error:
            assert "is a fork" in str(error) and len(str(error).splitlines()) == 1
            print("refused", flush=True)

    for number, percept in enumerate(itertools.islice(percepts, 40)):
        recorder.write(percept)
        if number in (5, 15, 25):
            child = os.fork()
            if not child:
                attempt(lambda: perceiver.push(Text(time.monotonic_ns(), "a red ball")))
                attempt(perceiver.step)
                attempt(lambda: next(percepts))
                attempt(lambda: perceiver.perceive(camera))
                microphone.close(), camera.close(), recorder.close()
                sys.exit(3)
        if number in (10, 20, 30):
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    percepts.close()
    recorder.close()
    said(camera, microphone)
    """


def test_a_fork_is_refused_in_one_line_and_its_parent_goes_on(url: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (ended,) = run_often(FORK, url, times=1)
    assert ended.stdout == 3 * ("refused\n" * 4 + "3\n") + "ended ended\n", ended.stderr
    assert ended.returncode == 0
    assert not re.search(f"{WRONG}|lost a stream", ended.stderr), ended.stderr
    with (tmp_path / "run.mcap").open("rb") as file:
        reader = make_reader(file)
        assert sum(1 for _ in reader.iter_messages(["/edgefuse/percepts"])) == 40


def test_a_fork_opens_a_perceiver_of_its_own(url: str):
    code = """
        import multiprocessing

        def perceive(queue):
            queue.put(next(Perceiver.open(DEFAULT_BUNDLE).perceive(Camera(sys.argv[1]))).label)

        percepts = perceiver.perceive(camera, microphone)
        next(percepts)
        forking = multiprocessing.get_context("fork")
        queue = forking.SimpleQueue()
        child = forking.Process(target=perceive, args=(queue,))
        child.start()
        assert queue.get()
        child.join()
        next(percepts)
        print(child.exitcode)
        """
    (ended,) = run_often(code, url, times=1)
    assert (ended.returncode, ended.stdout) == (0, "0\n"), ended.stderr
