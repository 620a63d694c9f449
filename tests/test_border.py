"""The border of the command line: whatever files and places it is given, it says one line and ends with a code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import EDGEFUSE, Prepared, edgefuse
from wrong_places import TO_FILL, TO_READ, TO_WRITE, Parameter, every_file

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP
from edgefuse.runtime.errors import in_one_line, printable

LIMIT_S = 60.0
"""More than what is refused takes on a busy machine, less than what waits for something."""


@pytest.fixture(scope="module")
def prepared() -> Iterator[Prepared]:
    with Prepared() as prepared:
        yield prepared


def each(written: bool) -> list:
    found = [one for one in every_file() if one.written == written]
    return [pytest.param(one, id=f"{one.command} {one.name}") for one in found]


def check_refused(results: list[subprocess.CompletedProcess[str]]) -> None:
    """Every one, in one line that somebody thought of."""
    wrong = []
    for result in results:
        lines = result.stderr.strip().splitlines()
        in_line = len(lines) == 1 and lines[0].startswith("edgefuse: ") and printable(lines[0]) == lines[0]
        if result.returncode != 2 or not in_line or lines[0].startswith("edgefuse: unexpected "):
            wrong.append(f"{result.args}: {result.returncode}, {result.stderr[-600:]!r}")
    assert not wrong, "\n".join(wrong)


def found_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("parameter", each(written=False))
def test_a_file_of_no_use_is_refused_in_one_line(prepared, parameter: Parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values: list[object] = ["/dev/zero", "/dev/null", "", "."]
    values += [make(tmp_path, suffix) for suffix in parameter.suffixes for make in TO_READ]
    before = found_in(tmp_path)
    check_refused([prepared(parameter.call(value), LIMIT_S) for value in values])
    assert found_in(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("parameter", each(written=True))
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    prepared, parameter: Parameter, full_disk, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    places = TO_FILL if parameter.command in ("export", "train") else TO_WRITE
    values: list[object] = ["."] if places is TO_WRITE else []
    values += [] if parameter.name == "jsonl" else ["/dev/full"]  # which JSON lines may go to
    for suffix in parameter.suffixes:
        values += [full_disk / f"within{suffix}", *(make(tmp_path, suffix) for make in places)]
    before = found_in(tmp_path)
    check_refused([prepared(parameter.call(value), LIMIT_S) for value in values])
    assert found_in(tmp_path) == before


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk without room, where this may be mounted; else a directory that is not there."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True)
    if mounted.returncode:
        yield folder / "nowhere"
        return
    try:
        (folder / "filler").write_bytes(bytes(os.statvfs(folder).f_bavail * os.statvfs(folder).f_bsize))
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--timeline", "/proc/run.png"),
        ("run", "--jsonl", "/proc/run.jsonl"),
        ("run", "--record", "/proc/run.mcap"),
        ("run", "--rrd", "/proc/run.rrd"),
        ("run", "--rrd", "."),
        ("bench", "--json", "."),
        ("export", "base", "-o", "/dev/null/bundle"),
        ("train", "-o", "/dev/null"),
        ("calibrate", "board", "-o", "/dev/full"),
    ],
)
def test_no_output_is_refused_after_the_work(prepared, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "--jsonl" not in arguments and arguments[0] == "run":
        arguments = (*arguments, "--jsonl", "begun.jsonl")
    check_refused([prepared(arguments, LIMIT_S)])
    assert not found_in(tmp_path)


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("--rate 1 > /dev/full", 2, "No space left on device"),
        ("--rate 1 --jsonl - -q > /dev/full", 2, "the standard output cannot be written: No space left on device"),
        ("--rate 1 --jsonl /dev/full > /dev/null", 2, "/dev/full cannot be written: No space left on device"),
        ("--rate 1 --jsonl - >&-", 2, "the standard output cannot be written: it is closed"),
        ("--rate 1 >&-", 0, None),
        ("--rate 1 -q --jsonl - 2>&- > /dev/null", 0, None),
        ("--jsonl - -q | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 141, None),
        ("-h | :; exit ${PIPESTATUS[0]}", 141, None),
    ],
)
def test_a_standard_output_that_is_full_closed_or_left_ends_it_cleanly(redirection, code, said):
    command = f"{EDGEFUSE} run --fast {redirection}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert ended.returncode == code, ended.stderr
    assert len(ended.stderr.splitlines()) in ((1, 2) if said else (0,)), ended.stderr  # at once, and at the end
    assert said is None or said in ended.stderr


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_a_terminal_that_knows_ascii_only_is_enough(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    label = "a bäll 球 \u202e"
    given = os.environ | environment
    for arguments in (["--prompt", label], ["--prompt", label, "--jsonl", "-"], [f"{label}.mp4"], ["-h"]):
        call = [str(EDGEFUSE), "run", "--fast", "--rate", "1", *arguments]
        ended = subprocess.run(call, capture_output=True, text=True, env=given, timeout=120)
        assert ended.returncode == (2 if label in arguments[0] else 0), ended.stderr
        assert "Error" not in ended.stderr


def test_text_from_outside_is_neither_markup_nor_steers_the_terminal(tmp_path):
    labels = ["[/]", "[bold]red[/bold]", "\x1b[31mred\x1b[0m", ":warning:", "a\nb", "$x^{"]
    prompts = [word for label in labels for word in ("--prompt", label)]
    drawn = tmp_path / "run.svg"
    shown = edgefuse("run", "--fast", "--rate", "3", *prompts, "--timeline", drawn)
    assert shown.returncode == 0
    assert all("far from all that training knew" in line for line in shown.stderr.splitlines())
    assert "\x1b" not in shown.stdout + shown.stderr
    most = next(line for line in shown.stdout.splitlines() if line.startswith("most seen: "))
    assert any(printable(label) in most for label in labels)
    assert "\x1b" not in drawn.read_text()
    refused = edgefuse("run", "\x1b[31m[bold]\n.mp4")
    assert refused.stderr.startswith(r"edgefuse: \x1b[31m[bold]\n.mp4")


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e9", "-1", "1e400", "x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--fast", "--rate"),
        ("bench", "--quick", "--rate"),
        ("train", "-o", "out", "--epochs"),
        ("train", "-o", "out", "--seed"),
        ("calibrate", "board", "-o", "board.png", "--square"),
        ("calibrate", "board", "-o", "board.png", "--marker"),
        ("calibrate", "board", "-o", "board.png", "--size"),
        ("calibrate", "camera", DEFAULT_CLIP, "--views"),
        ("calibrate", "sync", DEFAULT_CLIP, "--seconds"),
        ("calibrate", "sync", DEFAULT_CLIP, "--most"),
        ("calibrate", "sync", DEFAULT_CLIP, "--distance"),
        ("calibrate", "confidence", "--precision"),
        ("calibrate", "quantization", DEFAULT_CLIP, "--samples"),
        ("calibrate", "quantization", DEFAULT_CLIP, "--seconds"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(prepared, arguments, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_refused([prepared([*arguments, value], LIMIT_S)])
    assert not found_in(tmp_path)


RAISED = {
    "ZeroDivisionError('x')": "unexpected ZeroDivisionError: x",
    "MemoryError()": "there is not enough memory for this",
    "RecursionError('deep')": "something here is nested too deeply",
    "PermissionError(13, 'Permission denied', 'a\\nb')": r"a\nb: Permission denied",
    "UnicodeDecodeError('utf-8', b'\\xff', 0, 1, 'invalid start byte')": "unexpected UnicodeDecodeError: 'utf-8' codec",
    "__import__('cv2').error('OpenCV(5)\\n  said\\n  much')": "unexpected cv2.error: OpenCV(5) said much",
    "__import__('sqlite3').DatabaseError('malformed')": "unexpected sqlite3.DatabaseError: malformed",
    "__import__('zipfile').BadZipFile('no zip')": "unexpected zipfile.BadZipFile: no zip",
}


@pytest.mark.parametrize("raised", RAISED)
def test_whatever_is_raised_is_one_line_and_v_shows_where(raised):
    code = (
        "import sys, edgefuse.runtime\n"
        "from edgefuse.__main__ import main\n"
        f"def fail(*given, **named): raise {raised}\n"
        "edgefuse.runtime.open_streams = fail\n"
        "sys.argv = ['edgefuse', 'run', *sys.argv[1:]]; main()"
    )
    for more in ((), ("-v",)):
        ended = subprocess.run([sys.executable, "-c", code, *more], capture_output=True, text=True, timeout=60)
        *before, last = ended.stderr.splitlines()
        assert ended.returncode == 2
        assert last.startswith(f"edgefuse: {RAISED[raised]}")
        assert any("Traceback" in line for line in before) == bool(more)
        assert more or not before
        if last.startswith("edgefuse: unexpected"):
            assert re.search(r"\(at cli_run\.py:\d+\); -v shows where it comes from$", last)


def test_a_validation_error_names_its_field():
    from edgefuse.bench.report.result import Ratio

    with pytest.raises(ValueError, match="validation error") as caught:
        Ratio(value="much", low=0.0, high=1.0, rounds=1)
    assert "value: Input should be a valid number" in in_one_line(caught.value)


def test_a_run_that_perceived_nothing_says_why_and_fails(tmp_path):
    """Less sound than a window, and nothing else."""
    ended = edgefuse("run", "--fast", recording_of(tmp_path), "--jsonl", tmp_path / "run.jsonl")
    assert ended.returncode == 2
    assert ended.stderr.startswith("edgefuse: error: nothing was perceived: image: no samples came; audio: 1 ")
    assert len(ended.stderr.splitlines()) == 1
    assert "summary" in ended.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["one.mcap"]


def recording_of(folder: Path) -> Path:
    """A recording of less sound than one window."""
    import itertools

    from edgefuse.runtime import Clip, Recorder

    recorder = Recorder(folder / "one.mcap")
    clip = recorder.tap(Clip(None, DEFAULT_CLIP.with_suffix(".wav"), live=False))
    for _ in itertools.islice(clip, 1):
        pass
    clip.close()
    recorder.close()
    return folder / "one.mcap"


def test_the_summary_says_what_came_of_every_sense():
    shown = edgefuse("run", "--fast", "--rate", "1", "--drop", "audio")
    rows = [line.replace("│", " ").split() for line in shown.stdout.splitlines()]
    image = next(row for row in rows if row[:1] == ["image"])
    assert int(image[1]) > 500


STATES = [
    (blocked, run)
    for run, needed in (
        ((), ("onnxruntime", "tokenizers", "soundfile", "soxr", "cv2", "pydantic", "yaml", "nothing")),
        (("one.mcap",), ("mcap", "mcap_ros2")),
    )
    for blocked in needed
]


@pytest.mark.parametrize(("blocked", "run"), STATES)
def test_the_doctor_agrees_with_run(blocked, run, tmp_path, monkeypatch):
    """Where one package cannot be imported."""
    monkeypatch.chdir(tmp_path)
    recording_of(tmp_path)
    code = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {blocked!r}: raise ModuleNotFoundError(f'no {{name}}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from edgefuse.__main__ import main; main()"
    )
    ended = {}
    for words in (("doctor",), ("run", "--fast", "--rate", "1", *run)):
        call = [sys.executable, "-c", code, *words]
        ended[words[0]] = subprocess.run(call, capture_output=True, text=True, timeout=120)
        assert "Traceback" not in ended[words[0]].stderr
    if blocked == "nothing":
        assert (ended["doctor"].returncode, ended["run"].returncode) == (0, 0), ended["doctor"].stdout
    else:
        assert 0 not in (ended["doctor"].returncode, ended["run"].returncode), ended["doctor"].stdout
        assert blocked in ended["doctor"].stdout + ended["doctor"].stderr
        assert blocked in ended["run"].stderr


def test_the_doctor_agrees_with_run_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "file").touch()
    shown = edgefuse("doctor", XDG_CACHE_HOME=str(tmp_path / "file"))
    assert re.search(r"missing +graph cache", shown.stdout)
    assert edgefuse("run", "--fast", "--rate", "1", XDG_CACHE_HOME=str(tmp_path / "file")).returncode == 0


def test_the_default_bundle_is_tried_by_the_doctor():
    assert re.search(r"ok +default bundle +runs on ", edgefuse("doctor").stdout), DEFAULT_BUNDLE
