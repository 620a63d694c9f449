"""What was calibrated is undone before anything else sees the samples."""

import json
import time

import numpy as np
import pytest

from edgefuse.runtime import DEFAULT_BUNDLE, DEFAULT_CLIP, AudioChunk, Bundle, Clip, Frame, Perceiver, Stream, Text
from edgefuse.runtime.corrections.camera_info import CameraInfo, Matrix
from edgefuse.runtime.corrections.corrections import Corrections, read_corrections
from edgefuse.runtime.corrections.measured import Measured
from edgefuse.runtime.corrections.sync import Sync, read_sync, write_sync
from edgefuse.runtime.errors import CalibrationError
from edgefuse.runtime.samples import NS_PER_S


def sync_of(offset_ms: float, drift_ppm: float = 0.0, drift_sd_ppm: float = 1.0) -> Sync:
    """Measured over 60 s."""
    return Sync(
        measured=Measured(at="2031-05-06", by="edgefuse 0.1.0", how="40 events"),
        method="events",
        offset_ms=offset_ms,
        offset_sd_ms=1.0,
        at_s=30.0,
        drift_ppm=drift_ppm,
        drift_sd_ppm=drift_sd_ppm,
        span_s=60.0,
        events=40,
    )


def sound(stamp_s: float) -> AudioChunk:
    return AudioChunk(round(stamp_s * NS_PER_S), np.zeros(160, np.float32), 16_000, 0)


def frame(stamp_s: float) -> Frame:
    return Frame(round(stamp_s * NS_PER_S), np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize(("offset_ms", "sound_ms", "frame_ms"), [(200, -200, 0), (-150, 0, -150), (0, 0, 0)])
def test_whichever_is_late_is_set_back_and_nothing_is_ever_sensed_later(offset_ms, sound_ms, frame_ms):
    corrections = Corrections(sync=sync_of(offset_ms))
    for sample, moved_ms in ((sound(100), sound_ms), (frame(101), frame_ms), (Text(5, "hello"), 0)):
        corrected = corrections.correct(sample)
        assert (corrected.stamp_ns - sample.stamp_ns) / 1e6 == moved_ms
        assert type(corrected) is type(sample)


def test_a_drift_counts_from_the_first_sample():
    corrections = Corrections(sync=sync_of(100, drift_ppm=200))
    assert corrections.correct(sound(1000)).stamp_ns == 1000 * NS_PER_S - 94_000_000
    assert corrections.correct(sound(1060)).stamp_ns == 1060 * NS_PER_S - 106_000_000


def test_a_drift_is_followed_as_far_as_it_is_known_and_not_at_all_where_it_may_be_none():
    assert sync_of(0, 200, drift_sd_ppm=10).late_ns(30 * NS_PER_S + 900 * NS_PER_S) == 180_000_000
    assert sync_of(0, 200, drift_sd_ppm=10).late_ns(30 * NS_PER_S + 9000 * NS_PER_S) == 200_000_000
    assert sync_of(50, 200, drift_sd_ppm=100).late_ns(9000 * NS_PER_S) == 50_000_000


def test_late_sound_is_perceived_as_if_it_were_not_late():
    def percepts(late_ms: float, corrections: Corrections | None) -> list[tuple[str, float | None]]:
        clip = Clip(DEFAULT_CLIP, DEFAULT_CLIP.with_suffix(".wav"), live=False)
        perceiver = Perceiver(
            Bundle.open(DEFAULT_BUNDLE), senses=["image", "audio"], fuse_on=5.0, corrections=corrections
        )
        found = list(perceiver.perceive(Shifted(clip, late_ms)))
        return [(percept.label, percept.senses["audio"].age_ms) for percept in found]

    truth, late, mended = (
        percepts(0, None),
        percepts(-200, None),
        percepts(-200, Corrections(sync=sync_of(-200))),
    )
    ages = [np.median([age for _, age in run if age is not None]) for run in (truth, mended)]
    assert ages[0] == pytest.approx(ages[1], abs=60)
    agreements = [np.mean([a[0] == b[0] for a, b in zip(truth, run, strict=False)]) for run in (late, mended)]
    assert agreements[1] >= agreements[0]


def test_a_perceiver_is_opened_with_what_was_calibrated_and_corrects_what_is_pushed(tmp_path):
    write_sync(tmp_path / "sync.json", sync_of(200))
    perceiver = Perceiver.open(DEFAULT_BUNDLE, selftest=False, sync=tmp_path / "sync.json", senses=["audio"])
    perceiver.push(AudioChunk(NS_PER_S, np.zeros(16_000, np.float32), 16_000, 0))
    assert perceiver.step().stamp_ns == NS_PER_S + NS_PER_S - 200_000_000
    with pytest.raises(CalibrationError, match="lens"):
        Perceiver.open(DEFAULT_BUNDLE, selftest=False, camera_info=tmp_path / "lens.yaml")


def lens() -> CameraInfo:
    """One that bends nothing, of frames of 320 x 240."""
    k = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
    return CameraInfo(
        image_width=320,
        image_height=240,
        camera_name="flat",
        camera_matrix=Matrix.of(k),
        distortion_model="plumb_bob",
        distortion_coefficients=Matrix.of(np.zeros((1, 5))),
        rectification_matrix=Matrix.of(np.eye(3)),
        projection_matrix=Matrix.of(np.column_stack([k, np.zeros(3)])),
    )


class Sized(Stream):
    """Ten frames a second, each of a width."""

    live = False

    def __init__(self, *widths: int) -> None:
        self._widths = widths

    def __iter__(self):
        for number, width in enumerate(self._widths):
            yield Frame(number * NS_PER_S // 10, np.zeros((width * 3 // 4, width, 3), np.uint8))

    def close(self) -> None:
        """Nothing is open."""


def test_frames_of_another_size_are_refused_once_a_frame_has_fitted_the_lens(caplog):
    """A camera that was plugged in again comes back at its usual size; the robot still hears."""
    perceiver = Perceiver(Bundle.open(DEFAULT_BUNDLE), selftest=False, corrections=Corrections(lens()))
    assert len(list(perceiver.perceive(Sized(320, 320, 640, 640, 320)))) == 3
    assert perceiver.drops()["image"] == {"malformed": 2}
    assert perceiver.sensed()["image"] == 5
    assert caplog.text.count("is 640 x 480, but the lens was calibrated at 320 x 240") == 1
    begun_ns = time.monotonic_ns()
    for number, width in enumerate((320, 640, 320)):
        frame = Frame(begun_ns + number, np.zeros((width * 3 // 4, width, 3), np.uint8))
        assert perceiver.push(frame) == (width == 320)


def test_a_lens_of_which_no_frame_is_ends_the_run():
    perceiver = Perceiver(Bundle.open(DEFAULT_BUNDLE), selftest=False, corrections=Corrections(lens()))
    assert list(perceiver.perceive(Sized(320)))
    with pytest.raises(CalibrationError, match="the camera was calibrated at 320 x 240 but gives 640 x 480"):
        list(perceiver.perceive(Sized(640)))


class Shifted(Stream):
    """A clip whose sound is stamped late."""

    live = False

    def __init__(self, clip: Clip, late_ms: float) -> None:
        self._clip = clip
        self._late_ns = round(late_ms * 1e6)

    def __iter__(self):
        from dataclasses import replace

        for sample in self._clip:
            late = self._late_ns if isinstance(sample, AudioChunk) else 0
            yield replace(sample, stamp_ns=sample.stamp_ns + NS_PER_S + late)

    def close(self) -> None:
        self._clip.close()


def test_a_sync_is_read_as_it_was_written_by_anyone_who_can_read(tmp_path):
    path = tmp_path / "sync.json"
    write_sync(path, sync_of(-120.5, 30, 12))
    assert read_sync(path) == sync_of(-120.5, 30, 12)
    values = json.loads(path.read_text())
    assert (values["kind"], values["schema_version"], values["late"], values["offset_ms"]) == (
        "sync",
        1,
        "audio",
        -120.5,
    )
    assert values["measured"]["at"] == "2031-05-06"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 3}, "schema_version: Input should be 1, got 3"),
        ({"kind": "camera"}, "kind: Input should be 'sync'"),
        ({"offset_ms": "much"}, "offset_ms"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"drift_sd_ppm": 0}, "drift_sd_ppm"),
    ],
)
def test_a_sync_that_is_not_one_is_refused_in_one_line(tmp_path, change, said):
    path = tmp_path / "sync.json"
    path.write_text(json.dumps(json.loads(sync_of(1).model_dump_json()) | change))
    with pytest.raises(CalibrationError, match=said) as refused:
        read_sync(path)
    assert "\n" not in str(refused.value)
    assert "edgefuse calibrate sync" in str(refused.value)


def test_a_cut_off_a_listed_and_a_missing_sync_are_refused(tmp_path):
    path = tmp_path / "sync.json"
    for text, said in (('{"kind": "sy', "is no JSON"), ("[1]", "holds no named values")):
        path.write_text(text)
        with pytest.raises(CalibrationError, match=said):
            read_sync(path)
    with pytest.raises(CalibrationError, match="No such file"):
        read_sync(tmp_path / "nowhere.json")


def test_what_a_bundle_has_no_use_for_is_refused(tmp_path):
    path = tmp_path / "sync.json"
    write_sync(path, sync_of(10))
    manifest = Bundle.open(DEFAULT_BUNDLE).manifest
    assert read_corrections(None, "", manifest) is None
    assert read_corrections(None, path, manifest) is not None
    deaf = manifest.model_copy(update={"modalities": tuple(m for m in manifest.modalities if m.kind != "audio")})
    with pytest.raises(CalibrationError, match=r"sync.json is of audio and image, but the bundle has"):
        read_corrections(None, path, deaf)
