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


def edgefuse_each(
    calls: Sequence[Sequence[object]], limit_s: float, **environment: str
) -> list[subprocess.CompletedProcess[str]]:
    """Run it so many times, one after another, forked from one process that has imported more than `edgefuse` has.

    File permissions bind it, also where root runs the tests. The exit code is -9 where it took more than `limit_s`.
    """
    words = [[os.fsdecode(os.fsencode(str(argument))) for argument in call] for call in calls]
    with tempfile.TemporaryDirectory() as folder:
        given = os.environ | {"COLUMNS": "200"} | environment
        process = FORKSERVER.Process(target=_run_each, args=(words, given, os.getcwd(), Path(folder), limit_s))
        process.start()
        process.join()
        assert process.exitcode == 0
        return [_result_in(Path(folder), number, call) for number, call in enumerate(words)]


def _result_in(folder: Path, number: int, words: list[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = ((folder / f"{number}.{kind}").read_text(errors="replace") for kind in ("stdout", "stderr"))
    return subprocess.CompletedProcess(words, int((folder / f"{number}.code").read_text()), stdout, stderr)


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


def _run_each(
    calls: list[list[str]], environment: dict[str, str], directory: str, folder: Path, limit_s: float
) -> None:
    import edgefuse.cli
    import edgefuse.runtime

    edgefuse.cli.quieten_opencv()
    for name in ("calibration.camera", "calibration.collection", "networks", "export.exporter", "fusion.training"):
        importlib.import_module(f"edgefuse.{name}")
    for name in edgefuse.runtime.__all__:
        getattr(edgefuse.runtime, name)
    _be_bound_by_permissions()
    for number, words in enumerate(calls):
        child = os.fork()
        if child == 0:
            os._exit(_code_of(words, environment, directory, folder / f"{number}.stdout", folder / f"{number}.stderr"))
        (folder / f"{number}.code").write_text(str(_waited_for(child, limit_s)))


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
    os.kill(child, signal.SIGKILL)
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
