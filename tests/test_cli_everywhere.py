"""What every command of the command line has in common: help, version, how much is said, and how it is left."""

import itertools
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from command_line import EDGEFUSE, edgefuse, refused

from edgefuse.cli import commands
from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, Clip, Recorder

SHORT = {"-h": "--help", "-v": "--verbose", "-q": "--quiet", "-o": "--output", "-b": "--bundle"}
SHARED = {"--camera", "--microphone", "--audio", "--topic", "--backend", "--verbose", "--quiet"}
"""Options whose meaning does not depend on the command."""


def by_name(group=None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Every command and group, by the words that call it."""
    group = group or commands()
    found = {path: group}
    for name, command in getattr(group, "commands", {}).items():
        found |= by_name(command, (*path, name))
    return found


COMMANDS = by_name()
NAMES = [pytest.param(path, id=" ".join(("edgefuse", *path))) for path in COMMANDS]


def options(path: tuple[str, ...]) -> list:
    return [parameter for parameter in COMMANDS[path].params if parameter.param_type_name == "option"]


def wide(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return edgefuse(*arguments, COLUMNS="400", NO_COLOR="1", **environment)


def test_the_version_says_what_runs_bundles_and_which():
    result = edgefuse("--version")
    assert result.returncode == 0, result.stderr
    first, *others = result.stdout.splitlines()
    assert re.fullmatch(r"edgefuse \d+\.\d+\.\d+\S*", first)
    assert f"Python {sys.version.split()[0]}" in others
    assert any(re.match(r"onnxruntime \d+\.\d+", line) for line in others)
    assert "bundles of schema version 1" in others


@pytest.mark.parametrize(("arguments", "said"), [((), "bench"), (("calibrate",), "quantization")])
def test_without_a_command_the_help_is_shown(arguments, said):
    result = edgefuse(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == edgefuse(*arguments, "--help").stdout
    assert said in result.stdout


@pytest.mark.parametrize("path", NAMES)
def test_every_command_has_short_help_that_says_all_of_every_option(path):
    shown = wide(*path, "-h")
    assert shown.returncode == 0, shown.stderr
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", shown.stdout).split())
    for parameter in COMMANDS[path].params:
        assert parameter.help, f"{parameter.name} has no help"
        assert " ".join(parameter.help.split()) in text, f"{parameter.name}: {parameter.help}"


@pytest.mark.parametrize("path", NAMES)
def test_a_short_option_means_the_same_everywhere(path):
    for option in options(path):
        short = {name: next(n for n in option.opts if n.startswith("--")) for name in option.opts if len(name) == 2}
        assert short.items() <= SHORT.items()
        for letter, long in SHORT.items():
            assert (letter in option.opts) == (long in option.opts), f"{long} without {letter}"


def test_an_option_says_the_same_everywhere():
    """Up to the semicolon, behind which a command may say more."""
    said: dict[str, set[str]] = {}
    for path in COMMANDS:
        for option in options(path):
            for name in SHARED & set(option.opts):
                said.setdefault(name, set()).add(option.help.split(";")[0])
    assert said.keys() == SHARED
    assert {name: words for name, words in said.items() if len(words) > 1} == {}


def test_a_default_that_lies_in_the_installation_is_named_in_words():
    assert str(DEFAULT_BUNDLE) not in wide("run", "-h").stdout


def test_it_runs_as_a_module_of_python():
    result = subprocess.run([sys.executable, "-m", "edgefuse", "--version"], capture_output=True, text=True, timeout=60)
    assert result.stdout == edgefuse("--version").stdout
    (script,) = entry_points(group="console_scripts", name="edgefuse")
    assert script.value == "edgefuse.__main__:main"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'? (see `edgefuse -h`)"),
        (["calibrate", "lens"], "No such command 'lens' (see `edgefuse calibrate -h`)"),
        (["run", "--fats"], "No such option: --fats (Possible options: --fast, --rate) (see `edgefuse run -h`)"),
        (["run", "--backend", "gpu"], "Invalid value for '--backend': 'gpu' is not one of 'auto', 'cpu'"),
        (["run", "--rate", "fast"], "Invalid value for '--rate'"),
        (["train"], "Missing option '--output' / '-o' (see `edgefuse train -h`)"),
        (["verify"], "Missing argument"),
        (["calibrate", "camera", "--views"], "Option '--views' requires an argument"),
    ],
)
def test_a_wrong_call_gets_one_line_and_exit_code_2(arguments, said):
    assert refused(*arguments).startswith(f"edgefuse: {said}")


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """The first seconds of the demo clip, recorded."""
    path = tmp_path_factory.mktemp("recording") / "run.mcap"
    recorder = Recorder(path)
    clip = recorder.tap(Clip(DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav"), live=False))
    for _ in itertools.islice(clip, 240):
        pass
    clip.close()
    recorder.close()
    return path


def test_warnings_are_on_stderr_and_with_q_nothing_but_errors_and_the_result(recording, tmp_path):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(recording.read_bytes()[:-100])
    loud, quiet = (edgefuse("run", cut, "--fast", *more) for more in ((), ("-q",)))
    assert re.fullmatch(r"edgefuse: warning: .*cut.mcap was cut off; .*\n", loud.stderr)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "summary" in loud.stdout
    assert "summary" in quiet.stdout
    lines = edgefuse("-q", "run", cut, "--fast", "--jsonl", "-")
    assert lines.stderr == ""
    assert lines.stdout.count("\n") > 10
    assert "no such bundle" in refused("run", "-q", "--bundle", "nowhere")


def test_v_says_what_runs_the_graphs_what_is_replayed_and_what_is_kept(recording, tmp_path):
    said = {}
    for words in (("-v", "run"), ("run", "--verbose"), ("run", "-vv"), ("run",)):
        result = wide(*words, recording, "--fast", XDG_CACHE_HOME=str(tmp_path))
        assert result.returncode == 0, result.stderr
        said[" ".join(words)] = result.stderr
    first = said["-v run"]
    assert all(line.startswith("edgefuse: info: ") for line in first.splitlines()), first
    for graph in ("image", "audio", "text", "fusion"):
        assert re.search(rf"the graph {graph} .* runs on onnxruntime-cpu", first), first
    assert "golden vectors" in first
    assert "run.mcap: image is replayed from /edgefuse/image" in first
    assert f"is kept in {tmp_path}" in first
    again = said["run --verbose"]
    assert "runs on" in again
    assert "is kept in" not in again, "what was kept before is not new"
    assert "is taken from the cache" in said["run -vv"]
    assert said["run"] == ""


def completed(line: str, directory: Path) -> list[str]:
    """What bash is offered when the tabulator is pressed behind a line."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$(edgefuse --show-completion)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n'
        'complete -p edgefuse | grep -q -- "-o default" || echo no files\n'
        '_edgefuse_completion edgefuse; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = os.environ | {"PATH": f"{EDGEFUSE.parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=directory, capture_output=True, text=True, timeout=60, env=environment
    )
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("edgefuse ca", ["calibrate"]),
        ("edgefuse run --cam", ["--camera", "--camera-info"]),
        ("edgefuse run --backend ", ["auto", "cpu", "openvino", "cuda", "tensorrt"]),
        ("edgefuse bench --backend cu", ["cuda"]),
        ("edgefuse run --drop i", ["image"]),
        ("edgefuse run cl", []),  # where nothing is offered, bash completes the name of a file
    ],
)
def test_the_shell_completes_commands_options_and_values(line, offered, tmp_path):
    assert completed(line, tmp_path) == offered


def test_help_and_completion_wait_for_no_package_that_runs_networks():
    code = "import sys; import edgefuse.cli; edgefuse.cli.commands(); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert "typer" in loaded, result.stderr
    assert not loaded & {"numpy", "cv2", "onnxruntime", "soxr", "soundfile", "tokenizers", "mcap", "torch"}


@pytest.mark.parametrize("package", ["typer", "numpy", "cv2", "onnxruntime"])
def test_ctrl_c_while_packages_are_imported_is_quiet(package):
    code = (
        "import signal, sys, runpy\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {package!r}: signal.raise_signal(signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"sys.argv = ['edgefuse', 'run', {str(DEFAULT_CLIP)!r}, '--fast']\n"
        "runpy.run_module('edgefuse', run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (128 + signal.SIGINT, "", "")
