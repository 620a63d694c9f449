"""The command line as a user has it: a process for each command, forked from one that has imported the packages of
others, which takes five seconds; the rest is what the installed script does."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import entry_points
from multiprocessing.connection import Connection
from pathlib import Path

EDGEFUSE = Path(sys.executable).with_name("edgefuse")
"""The installed script, for what has to be a program."""
LIMIT_S = 120
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        *("edgefuse", "numpy", "onnxruntime", "tokenizers", "pydantic", "typer", "rich.table", "soundfile", "soxr"),
        *("torch.onnx", "torch.export", "torch.utils.tensorboard", "onnx", "onnxscript", "safetensors.torch"),
        *("scipy.stats", "sklearn.metrics"),
    ]
)  # not OpenCV, which reads from the environment what the command line wrote there


def edgefuse(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in this directory, on a terminal that is wide, with these environment variables besides."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder) / "stdout", Path(folder) / "stderr"
        given = os.environ | {"COLUMNS": "200"} | environment
        process = FORKSERVER.Process(target=_run, args=(words, given, os.getcwd(), stdout, stderr))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, LIMIT_S, stdout.read_text(), stderr.read_text())
        return subprocess.CompletedProcess(words, process.exitcode, stdout.read_text(), stderr.read_text())


class Prepared:
    """Runs it again and again, each time forked from one process that has imported what all commands need.

    File permissions bind it, also where root runs the tests. A context.
    """

    def __enter__(self) -> Prepared:
        self._pipe, theirs = FORKSERVER.Pipe()
        self._process = FORKSERVER.Process(target=_serve, args=(theirs,))
        self._process.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._pipe.send(None)
        self._process.join()

    def __call__(self, arguments: Sequence[object], limit_s: float) -> subprocess.CompletedProcess[str]:
        """Its exit code is -9 where it took longer."""
        words = [str(argument) for argument in arguments]
        with tempfile.TemporaryDirectory() as folder:
            stdout, stderr = Path(folder) / "stdout", Path(folder) / "stderr"
            self._pipe.send((words, os.environ | {"COLUMNS": "200"}, os.getcwd(), stdout, stderr, limit_s))
            code = self._pipe.recv()
            said = (path.read_text(errors="replace") if path.exists() else "" for path in (stdout, stderr))
            return subprocess.CompletedProcess(words, code, *said)


def refused(*arguments: object) -> str:
    """The one line that bad input gets."""
    result = edgefuse(*arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


def _run(words: list[str], environment: dict[str, str], directory: str, stdout: Path, stderr: Path) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["edgefuse", *words]
    (script,) = entry_points(group="console_scripts", name="edgefuse")
    sys.exit(script.load()())


def _serve(pipe: Connection) -> None:
    import edgefuse.cli
    import edgefuse.runtime

    edgefuse.cli.quieten_opencv()
    for name in ("calibration.camera", "calibration.collection", "networks", "export.exporter", "fusion.training"):
        importlib.import_module(f"edgefuse.{name}")
    for name in edgefuse.runtime.__all__:
        getattr(edgefuse.runtime, name)
    _be_bound_by_permissions()
    while (wanted := pipe.recv()) is not None:
        *call, limit_s = wanted
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os._exit(_code_of(*call))
        pipe.send(_waited_for(child, limit_s))


def _code_of(words: list[str], environment: dict[str, str], directory: str, stdout: Path, stderr: Path) -> int:
    try:
        _run(words, environment, directory, stdout, stderr)
    except SystemExit as ending:
        return int(ending.code or 0)
    except BaseException as error:
        print(f"Traceback of a border that let {error!r} pass", file=sys.stderr, flush=True)
    return 1


def _waited_for(child: int, limit_s: float) -> int:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


def _be_bound_by_permissions() -> None:
    """Take from root what lets it read and write everything (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, sets) == 0
    for effective_or_permitted in (0, 1):
        sets[effective_or_permitted] &= ~0b110
    assert libc.capset(header, sets) == 0
