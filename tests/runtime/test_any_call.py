"""Whatever a program gives to `edgefuse.runtime` is taken for what it is, counted as dropped, or refused by name."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fuzzing import SENSELESS, each_round, is_one_line
from pydantic import ValidationError
from rich.console import Console

from edgefuse import runtime
from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    AudioChunk,
    Bundle,
    Camera,
    CameraInfo,
    Clip,
    EdgefuseError,
    Frame,
    JsonLines,
    LiveTable,
    Microphone,
    Patience,
    Perceiver,
    Percept,
    Recorder,
    Recording,
    RunStatistics,
    Sample,
    Signal,
    Source,
    Stream,
    Text,
    Timeline,
    Viewer,
    deliver,
    open_engine,
    open_streams,
    read_camera_info,
    read_confidence,
    read_corrections,
    read_sync,
    write_camera_info,
    write_confidence,
    write_sync,
)

MS = 1_000_000
GREY = np.full((24, 32, 3), 90, np.uint8)
HUM = np.zeros(320, np.float32)
ODD: tuple[Any, ...] = (
    *SENSELESS, np.float32(0.5), np.int64(3), np.float64("nan"), np.zeros(0), np.zeros((3, 3)), np.array(None),
    object(), np.array(["a"]), b"bytes", 1 + 2j, (1, 2), {"a": 1}, {1}, range(3), lambda: 0, int,
    10**5000, Path("nowhere"),
)  # fmt: skip


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(DEFAULT_BUNDLE)


@pytest.fixture
def perceiver(bundle: Bundle) -> Perceiver:
    return Perceiver(bundle, selftest=False)


def is_sensible(percept: Percept) -> bool:
    """Whether it is of the bundle's labels and of numbers, and can be written."""
    json.loads(json.dumps(percept.as_json(), allow_nan=False))
    return 0 <= percept.confidence <= 1 and type(percept.stamp_ns) is int and percept.label in percept.scores


def refused(call: Callable[[], Any]) -> str:
    """The one line."""
    with pytest.raises(EdgefuseError) as caught:
        call()
    assert is_one_line(caught.value)
    return str(caught.value)


# Samples


IMAGES: dict[str, Any] = {
    "floats": GREY / 255,
    "int64": GREY.astype(np.int64),
    "grey": GREY[..., 0],
    "alpha": np.zeros((24, 32, 4), np.uint8),
    "channels first": GREY.transpose(2, 0, 1),
    "batch": GREY[None],
    "no rows": GREY[:0],
    "objects": GREY.astype(object),
    "list": GREY.tolist(),
    "None": None,
    "text": "picture.png",
    "bytes": GREY.tobytes(),
    "masked": np.ma.masked_equal(GREY, 90),
    "endless": np.broadcast_to(GREY[:1, :1], (100_000, 100_000, 3)),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_a_picture_that_is_none_is_counted(perceiver: Perceiver, kind: str) -> None:
    assert not perceiver.push(Frame(0, IMAGES[kind]))
    (reason,) = perceiver.drops()["image"]
    assert reason in ("malformed", "out_of_range")
    assert is_one_line(perceiver.refusal("image"))
    assert perceiver.step() is None


@pytest.mark.parametrize(
    "image",
    [GREY[::2, ::-1], np.asfortranarray(GREY), np.broadcast_to(GREY[:1, :1], GREY.shape), np.flip(GREY, 2)],
    ids=["strided", "Fortran", "broadcast", "flipped"],
)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_a_picture_is_the_same_however_it_lies_in_memory(bundle: Bundle, image: np.ndarray, encoding: Any) -> None:
    labels = []
    for one in (image, np.ascontiguousarray(image)):
        one.flags.writeable = False
        perceiver = Perceiver(bundle, selftest=False)
        assert perceiver.push(Frame(np.int64(5), one, encoding))  # type: ignore[arg-type]
        percept = perceiver.step()
        assert percept is not None
        assert is_sensible(percept)
        labels.append(percept.scores)
    assert labels[0] == labels[1]


SOUNDS: dict[str, dict[str, Any]] = {
    "float64": {"pcm": HUM.astype(np.float64)},
    "int16": {"pcm": HUM.astype(np.int16)},
    "swapped bytes": {"pcm": HUM.astype(">f4")},
    "stereo": {"pcm": HUM.reshape(2, -1)},
    "list": {"pcm": HUM.tolist()},
    "None": {"pcm": None},
    "number": {"pcm": np.float32(0.0)},
    "objects": {"pcm": HUM.astype(object)},
    "rate 0": {"rate_hz": 0},
    "rate NaN": {"rate_hz": math.nan},
    "rate infinite": {"rate_hz": math.inf},
    "rate tiny": {"rate_hz": 1e-300},
    "rate a text": {"rate_hz": "16000"},
    "rate None": {"rate_hz": None},
    "other rate": {"rate_hz": 44_100},
    "index negative": {"index": -1},
    "index huge": {"index": 2**100},
    "index a float": {"index": 0.5},
    "index None": {"index": None},
    "run a text": {"run": "1"},
    "NaN": {"pcm": np.full(320, np.nan, np.float32)},
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_that_is_none_is_counted(perceiver: Perceiver, kind: str) -> None:
    whole = {"stamp_ns": 0, "pcm": HUM, "rate_hz": 16_000, "index": 0}
    assert not perceiver.push(AudioChunk(**{**whole, **SOUNDS[kind]}))
    assert sum(perceiver.drops()["audio"].values()) == 1
    assert is_one_line(perceiver.refusal("audio"))


@pytest.mark.parametrize(
    "stamp", [-(2**62) - 1, -(2**63), 2**63, 10**30, 0.5, math.nan, math.inf, "0", None, True, [0], np.zeros(2)]
)
def test_a_stamp_that_is_none_is_counted(perceiver: Perceiver, stamp: Any) -> None:
    for sample in (Frame(stamp, GREY), AudioChunk(stamp, HUM, 16_000, 0), Text(stamp, "a red ball")):
        assert not perceiver.push(sample)
        assert "stamp_ns" in str(perceiver.refusal(sample.modality))
    assert perceiver.step() is None


@pytest.mark.parametrize("text", ["", " ", None, 7, b"a red ball", "\ud800", ["a red ball"], "x" * 10_000])
def test_a_text_that_is_none_is_counted(perceiver: Perceiver, text: Any) -> None:
    assert not perceiver.push(Text(0, text))
    assert perceiver.drops()["text"] == {"malformed": 1}


@pytest.mark.parametrize("sample", ODD, ids=lambda value: type(value).__name__)
def test_what_is_no_sample_is_refused(perceiver: Perceiver, sample: Any) -> None:
    assert "what is pushed should be a Frame" in refused(lambda: perceiver.push(sample))


@pytest.mark.parametrize("sense", [None, 3, [], b"image", {}])
def test_a_sample_of_no_named_sense_is_refused(perceiver: Perceiver, sense: Any) -> None:
    assert "modality" in refused(lambda: perceiver.push(Frame(0, GREY, modality=sense)))


def test_a_sample_of_another_kind_than_its_sense_is_counted(perceiver: Perceiver) -> None:
    for sample in (Frame(0, GREY, modality="audio"), Text(0, "a", "image"), Signal(0, HUM[:, None], 10.0, 0, "text")):
        assert not perceiver.push(sample)
        assert perceiver.drops()[sample.modality] == {"malformed": 1}


# Streams


class Own(Stream):
    """A stream as a user writes one."""

    def __init__(self, samples: Callable[[], Iterator[Any]], live: Any = False) -> None:
        self.live = live
        self._samples = samples
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        return self._samples()

    def close(self) -> None:
        self.closed.set()


def frames(first: int = 0, count: int = 3, modality: str = "image") -> Iterator[Frame]:
    for number in range(first, first + count):
        yield Frame(number * 50 * MS, GREY, modality=modality)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("odd", [None, (0, GREY), "frame", 3, GREY, [Frame(0, GREY)]], ids=str)
def test_a_stream_that_yields_what_is_no_sample_is_named(perceiver: Perceiver, odd: Any, live: bool) -> None:
    stream = Own(lambda: iter([odd]), live)
    assert "what Own yields should be a Frame" in refused(lambda: list(perceiver.perceive(stream)))
    assert stream.closed.is_set()


def test_samples_that_make_no_sense_are_counted_and_the_others_perceived(perceiver: Perceiver) -> None:
    def samples() -> Iterator[Any]:
        yield from frames(0, 2)
        yield Frame(-(2**63), GREY)
        yield AudioChunk(0, HUM, 0, 0)
        yield Frame(0, None)  # type: ignore[arg-type]
        yield from frames(2, 2)

    percepts = list(perceiver.perceive(Own(samples)))
    assert len(percepts) == 4
    assert all(map(is_sensible, percepts))
    assert perceiver.drops() == {"image": {"malformed": 2}, "audio": {"malformed": 1}, "text": {}}


@pytest.mark.parametrize("live", [False, True])
def test_two_streams_of_one_sense_are_refused(perceiver: Perceiver, live: bool) -> None:
    now = perceiver.now_ns
    streams = [Own(lambda: iter([Frame(now(), GREY)] if live else list(frames())), live) for _ in range(2)]
    assert "two streams yield 'image'" in refused(lambda: list(perceiver.perceive(*streams)))
    assert all(stream.closed.is_set() for stream in streams)
    assert "same stream twice" in refused(lambda: perceiver.perceive(streams[0], streams[0]))


def test_a_stream_of_a_sense_that_the_bundle_has_not_is_said(
    perceiver: Perceiver, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(perceiver.perceive(Own(lambda: frames(modality="lidar")))) == []
    assert caplog.text.count("'lidar'") == 1


@pytest.mark.parametrize(
    "given",
    [None, [], "clip.mp4", DEFAULT_CLIP, iter([]), SimpleNamespace(live=False)],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_stream_is_refused(perceiver: Perceiver, given: Any) -> None:
    assert "what perceive() is given should be a Stream" in refused(lambda: perceiver.perceive(given))


@pytest.mark.parametrize("live", [None, "yes", 1, np.bool_(True)])
def test_a_stream_says_whether_it_is_live(perceiver: Perceiver, live: Any) -> None:
    assert "`live` of Own" in refused(lambda: perceiver.perceive(Own(frames, live)))
    assert "`tap`" in refused(lambda: perceiver.perceive(Own(frames), watchers=[print]))  # type: ignore[list-item]


def test_an_endless_stream_that_ignores_that_it_is_closed_ends_all_the_same(perceiver: Perceiver) -> None:
    ended = threading.Event()

    def samples() -> Iterator[Frame]:
        try:
            while True:
                yield Frame(perceiver.now_ns(), GREY)
        finally:
            ended.set()

    percepts = perceiver.perceive(Own(samples, True))
    assert is_sensible(next(percepts))
    percepts.close()  # type: ignore[attr-defined]
    assert ended.wait(10)


@pytest.mark.parametrize("live", [False, True])
def test_what_a_stream_raises_when_it_is_closed_is_logged(
    perceiver: Perceiver, caplog: pytest.LogCaptureFixture, live: bool
) -> None:
    class Stuck(Own):
        def close(self) -> None:
            raise OSError("stuck")

    one = Frame(perceiver.now_ns() if live else 0, GREY)
    assert len(list(perceiver.perceive(Stuck(lambda: iter([one]), live)))) == 1
    assert "Stuck could not be closed: OSError: stuck" in caplog.text


# Sinks


class Kept(list[Percept]):
    """A sink that keeps what it gets, and fails from some percept on."""

    def __init__(self, fails_at: int | None = None, error: Exception | None = None) -> None:
        super().__init__()
        self.fails_at, self.error, self.closed = fails_at, error or RuntimeError("no more"), 0

    def write(self, percept: Percept) -> None:
        if len(self) == self.fails_at:
            raise self.error
        self.append(percept)

    def close(self) -> None:
        self.closed += 1


def test_a_sink_that_fails_is_said_and_the_others_get_everything(
    perceiver: Perceiver, caplog: pytest.LogCaptureFixture
) -> None:
    sinks = [Kept(1), Kept()]
    line = refused(lambda: deliver(perceiver.perceive(Own(frames)), sinks))
    assert line == "Kept took no more percepts: RuntimeError: no more"
    assert caplog.text.count("RuntimeError: no more") == 1
    assert [len(sink) for sink in sinks] == [1, 3]
    assert [sink.closed for sink in sinks] == [1, 1]


def test_nothing_is_perceived_for_nobody(perceiver: Perceiver) -> None:
    alone, pipe = Kept(1), Kept(1, BrokenPipeError())
    refused(lambda: deliver(perceiver.perceive(Own(lambda: frames(count=1000))), [alone]))
    with pytest.raises(BrokenPipeError):
        deliver(perceiver.perceive(Own(lambda: frames(count=1000))), [pipe, Kept()])
    assert "a sink has the methods" in refused(lambda: deliver([], [None]))  # type: ignore[list-item]


# Arguments


@pytest.fixture(scope="module")
def calls(
    bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Public calls, each with arguments that are in order (or lead to one line)."""
    place = tmp_path_factory.mktemp("calls")
    perceiver = Perceiver(bundle, selftest=False)
    manifest = bundle.manifest
    opening = {"senses": ["image"], "prompts": [], "fuse_on": "lead", "offsets_ms": {"audio": 1.0}, "backend": "cpu"}
    more = {"selftest": False, "confidence": None, "future_tolerance_ms": 50.0, "now_ns": perceiver.now_ns}
    camera = {"device": str(DEFAULT_CLIP), "width": 64, "height": 48, "rate_hz": 10.0, "pixel_format": "MJPG"}
    return {
        "Perceiver": (Perceiver, {"bundle": bundle, "corrections": None, **opening, **more}),
        "Perceiver.open": (Perceiver.open, {"directory": DEFAULT_BUNDLE, "selftest": False, "sync": None, **opening}),
        "Bundle.open": (Bundle.open, {"directory": DEFAULT_BUNDLE}),
        "set_max_age_ms": (perceiver.set_max_age_ms, {"max_age_ms": {"audio": 100.0}}),
        "set_fuse_on": (perceiver.set_fuse_on, {"fuse_on": "lead"}),
        "set_prompts": (perceiver.set_prompts, {"prompts": ["a red ball"]}),
        "encode": (perceiver.encode, {"sense": "image"}),
        "newest": (perceiver.newest, {"sense": "image"}),
        "refusal": (perceiver.refusal, {"sense": "image"}),
        "open_engine": (open_engine, {"bundle": bundle, "graph": "text", "backend": "cpu"}),
        "Camera": (Camera, {**camera, "exposure_ms": 5.0, "buffers": 1, "patience": None, "frame_id": ""}),
        "Microphone": (Microphone, {"device": None, "rate_hz": 16_000, "channels": 1, "block_ms": 20.0, "modality": "a",
                                    "device_rate_hz": None, "patience": Patience()}),
        "Patience": (Patience, {"first_sample_s": 5.0, "stalled_after_s": 0.5}),
        "Clip": (Clip, {"video": DEFAULT_CLIP, "audio": DEFAULT_CLIP.with_suffix(".wav"), "live": False,
                        "rate_hz": 16_000, "senses": ("image", "audio"), "frame_id": ""}),
        "Recording": (Recording, {"path": place / "none.mcap", "live": False, "topics": {"image": "/a"}, "senses": ()}),
        "open_streams": (open_streams, {"source": Source(DEFAULT_CLIP), "manifest": manifest, "senses": ["image"],
                                        "fast": True}),
        "Source": (Source, {"file": DEFAULT_CLIP, "audio": None, "camera": None, "microphone": None, "topics": []}),
        "Recorder": (Recorder, {"path": place / "new.mcap", "bundle": bundle, "image_format": "jpeg",
                                "jpeg_quality": 9}),
        "Timeline": (Timeline, {"path": place / "new.png"}),
        "JsonLines": (JsonLines, {"target": str(place / "new.jsonl")}),
        "LiveTable": (LiveTable, {"console": Console(quiet=True), "statistics": RunStatistics()}),
        "latency_ms": (RunStatistics().latency_ms, {"percentile": 50}),
        "read_sync": (read_sync, {"path": place / "none.json"}),
        "read_camera_info": (read_camera_info, {"path": place / "none.yaml"}),
        "read_confidence": (read_confidence, {"path": place / "none.json", "manifest": manifest}),
        "read_corrections": (read_corrections, {"camera_info": None, "sync": None, "manifest": manifest}),
        "write_sync": (write_sync, {"path": place / "new.json", "sync": None}),
        "write_camera_info": (write_camera_info, {"path": place / "new.yaml", "info": None}),
        "write_confidence": (write_confidence, {"path": place / "new.json", "confidence": None}),
        "Viewer": (Viewer, {"path": place / "new.rrd", "manifest": None}),
        "CameraInfo": (CameraInfo, {"image_width": 3, "image_height": 3, "camera_name": "a"}),
    }  # fmt: skip


def called(call: Callable[..., Any], given: dict[str, Any], changed: dict[str, Any]) -> None:
    """Call it; what is refused is refused in one line, and what is opened is closed."""
    try:
        made = call(**{**given, **changed})
    except ValidationError:
        return  # of a model, whose lines name the field
    except (EdgefuseError, TypeError, ValueError) as error:
        if not (isinstance(error, EdgefuseError) and is_one_line(error)):
            raise
        return
    for one in made if isinstance(made, list) else [made]:
        if isinstance(one, Perceiver):
            assert one.push(Frame(one.now_ns(), GREY))
            percept = one.step()
            assert percept is None or is_sensible(percept)
        elif callable(getattr(one, "close", None)):
            one.close()


def test_every_public_call_is_tried(calls: dict[str, Any]) -> None:
    plain_data = re.compile(
        "DEFAULT_|DRIFT_|Error$|Modality$|^(Sample|Signal|Frame|Text|AudioChunk|Stream|Sink|Observer)$"
    )
    held = {"Backend", "Engine", "Evidence", "Tokens", "Percept", "Sense", "Trace", "Manifest", "TensorSpec"}
    held |= {"StreamHealth", "StreamState", "SenseStatistics", "RunStatistics", "Confidence", "Corrections", "Sync"}
    elsewhere = {"deliver", "summary", "Perceiver", "Bundle"}
    assert {name for name in runtime.__all__ if not plain_data.search(name)} - held - elsewhere <= set(calls)


@pytest.mark.fuzz
def test_any_argument_is_taken_or_refused_in_one_line(calls: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)

    def check(random: Random) -> None:
        call, given = calls[random.choice(list(calls))]
        names = random.sample(list(given), min(len(given), random.choice((1, 1, 1, 2))))
        changed = {name: _odd(given[name], random) for name in names}
        called(call, given, changed)
        for file in tmp_path.iterdir():
            file.unlink()

    each_round(200, check)


def _odd(value: Any, random: Random) -> Any:
    """Something else, or the same with something else in it."""
    if isinstance(value, dict) and value and random.random() < 0.5:
        return {random.choice(list(value)): random.choice(ODD)}
    if isinstance(value, (list, tuple)) and random.random() < 0.5:
        return [random.choice(ODD)]
    return random.choice(ODD)


WHOLE: dict[type, dict[str, Any]] = {
    Frame: {"stamp_ns": 0, "image": GREY, "encoding": "rgb8", "modality": "image", "frame_id": "", "run": 0},
    AudioChunk: {"stamp_ns": 0, "pcm": HUM, "rate_hz": 16_000, "index": 0, "modality": "audio", "run": 0},
    Text: {"stamp_ns": 0, "text": "a red ball", "modality": "text", "run": 0},
    Signal: {"stamp_ns": 0, "values": HUM[:, None], "rate_hz": 16_000.0, "index": 0, "modality": "audio", "run": 0},
}
"""What each kind of sample holds."""


def pushed(perceiver: Perceiver, sample: Sample) -> None:
    """Push it: it is taken, counted, or refused in one line, and what is then perceived makes sense."""
    before = sum(sum(of.values()) for of in perceiver.drops().values())
    try:
        taken = perceiver.push(sample)
    except EdgefuseError as error:
        assert is_one_line(error)  # noqa: PT017
        return
    known = sample.modality in perceiver.senses
    assert taken or not known or sum(sum(of.values()) for of in perceiver.drops().values()) > before
    refusal = perceiver.refusal(sample.modality) if known else None
    assert taken or refusal is None or is_one_line(refusal)
    percept = perceiver.step()
    assert percept is None or is_sensible(percept)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, fields in WHOLE.items() for name in fields])
def test_anything_in_any_field_of_a_sample_is_counted_or_refused(bundle: Bundle, kind: type, name: str) -> None:
    perceiver = Perceiver(bundle, selftest=False, now_ns=lambda: 10**12)
    for value in ODD:
        pushed(perceiver, kind(**{**WHOLE[kind], name: value}))


@pytest.mark.fuzz
def test_any_sample_gives_a_sensible_percept_or_is_counted(bundle: Bundle) -> None:
    perceiver = Perceiver(bundle, selftest=False, now_ns=lambda: 10**12)

    def check(random: Random) -> None:
        kind = random.choice(list(WHOLE))
        fields = {**WHOLE[kind], "stamp_ns": random.randrange(10**12)}
        for name in random.sample(list(fields), random.choice((0, 1, 1, 2))):
            fields[name] = random.choice(ODD)
        pushed(perceiver, kind(**fields))

    each_round(300, check)
