"""The command line as a user has it: a process for each command, forked from one that has imported the packages of
others, which takes five seconds; the rest is what the installed script does."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
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
