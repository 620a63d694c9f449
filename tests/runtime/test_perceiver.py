"""Samples in, percepts out: what a user of the perceiver can rely on, with the default bundle."""

import itertools
import threading
import time

import numpy as np
import pytest

from edgefuse.runtime import (
    DEFAULT_BUNDLE,
    DEFAULT_CLIP,
    AudioChunk,
    BundleError,
    Clip,
    Frame,
    Perceiver,
    PromptError,
    Stream,
    StreamError,
    Text,
)
from edgefuse.runtime.streams.clip import sound_beside

MS = 1_000_000
RATE_HZ = 16_000


@pytest.fixture
def perceiver() -> Perceiver:
    return Perceiver.open(DEFAULT_BUNDLE)


def picture(seed: int = 0, height: int = 240, width: int = 320) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def now_ns(before_ms: float = 0) -> int:
    return time.monotonic_ns() - round(before_ms * MS)


def hear(perceiver: Perceiver, until_ns: int, seconds: float = 1.6, level: float = 0.05, seed: int = 0) -> bool:
    pcm = np.random.default_rng(seed).normal(0, level, round(RATE_HZ * seconds)).astype(np.float32)
    return perceiver.push(AudioChunk(until_ns - round(seconds * 1e9), pcm, RATE_HZ, 0))


def test_a_buffer_may_be_written_into_again_once_it_was_pushed(perceiver):
    buffer, clean = picture(), picture()
    stamp_ns = now_ns()
    perceiver.push(Frame(stamp_ns, clean))
    expected = perceiver.step().scores
    perceiver.push(Frame(stamp_ns + MS, buffer))
    buffer[:] = 0
    assert perceiver.step().scores == expected
    perceiver.push(Frame(stamp_ns + 2 * MS, buffer), copy=False)
    buffer[:] = clean
    assert perceiver.step().scores == expected, "read where it lies"


def test_one_frame_gives_one_percept(perceiver):
    assert perceiver.step() is None
    stamp_ns = now_ns()
    assert perceiver.push(Frame(stamp_ns, picture()))
    percept = perceiver.step()
    assert perceiver.step() is None
    assert percept.stamp_ns == stamp_ns
    assert percept.label in perceiver.labels
    assert percept.scores[percept.label] == max(percept.scores.values())
    assert sum(percept.scores.values()) == pytest.approx(1, abs=1e-4)
    assert np.linalg.norm(percept.embedding) == pytest.approx(1, abs=1e-3)
    assert percept.agreement is None, "one sense alone cannot disagree"
    assert percept.senses["image"].valid
    assert percept.senses["image"].weight == pytest.approx(1)
    assert percept.senses["audio"] == percept.senses["text"]
    assert not percept.senses["audio"].valid


def test_the_trace_accounts_for_every_millisecond(perceiver):
    perceiver.push(Frame(now_ns(before_ms=30), picture()))
    trace = perceiver.step().trace
    stages = trace.stages_ms
    assert list(stages) == ["receive", "wait", "encode", "fuse", "publish"]
    assert sum(stages.values()) == pytest.approx(trace.latency_ms)
    assert all(ms >= 0 for ms in stages.values())
    assert stages["receive"] >= 30


@pytest.mark.parametrize(
    "senses", [s for n in (1, 2, 3) for s in itertools.combinations(("image", "audio", "text"), n)]
)
def test_every_subset_of_senses_works(senses):
    perceiver = Perceiver.open(DEFAULT_BUNDLE, senses=senses)
    stamp_ns = now_ns()
    used = {
        "image": perceiver.push(Frame(stamp_ns, picture())),
        "audio": hear(perceiver, stamp_ns),
        "text": perceiver.push(Text(stamp_ns, "the red ball")),
    }
    assert {sense for sense, taken in used.items() if taken} == set(senses)
    percept = perceiver.step()
    assert {name for name, sense in percept.senses.items() if sense.valid} == set(senses)
    assert sum(sense.weight for sense in percept.senses.values()) == pytest.approx(1, abs=1e-4)
    assert np.isfinite(list(percept.scores.values())).all()
    assert (percept.agreement is None) == (len(senses) == 1)


def test_a_stale_sense_is_masked_and_the_percept_says_so(perceiver):
    start_ns = now_ns(before_ms=20_000)
    hear(perceiver, start_ns)
    perceiver.push(Frame(start_ns, picture()))
    together = perceiver.step()
    assert together.senses["audio"].valid
    perceiver.push(Frame(start_ns + 10_000 * MS, picture()))
    alone = perceiver.step()
    assert not alone.senses["audio"].valid
    assert alone.senses["audio"].weight == 0
    assert alone.senses["audio"].age_ms == pytest.approx(10_000)
    fresh = Perceiver.open(DEFAULT_BUNDLE, senses=["image"])
    fresh.push(Frame(start_ns, picture()))
    assert alone.scores == pytest.approx(fresh.step().scores, abs=1e-5), "old sound must not leak in"


@pytest.mark.parametrize(
    ("late", "age_ms"), [({}, 30), ({"audio": 20}, 50), ({"image": 20}, 10), ({"image": 40}, None)]
)
def test_a_sense_whose_stamps_are_late_is_matched_as_if_they_were_not(late, age_ms):
    perceiver = Perceiver.open(DEFAULT_BUNDLE, offsets_ms=late)
    stamp_ns = now_ns()
    hear(perceiver, until_ns=stamp_ns - 30 * MS)
    perceiver.encode("audio")
    perceiver.push(Frame(stamp_ns, picture()))
    percept = perceiver.step()
    assert percept.senses["image"].age_ms == 0
    assert percept.senses["audio"].age_ms == age_ms


def test_colour_order_does_not_matter_if_it_is_said(perceiver):
    image, stamp_ns = picture(), now_ns(before_ms=100)
    perceiver.push(Frame(stamp_ns, image, "rgb8"))
    rgb = perceiver.step()
    perceiver.push(Frame(stamp_ns + MS, image[..., ::-1], "bgr8"))
    assert perceiver.step().scores == rgb.scores


@pytest.mark.parametrize(("height", "width"), [(96, 128), (480, 640), (1080, 1920), (33, 517), (1, 1)])
def test_frames_of_any_size_are_taken(perceiver, height, width):
    assert perceiver.push(Frame(now_ns(), picture(height=height, width=width)))
    assert np.isfinite(perceiver.step().confidence)


def test_sound_with_nan_is_skipped_and_the_rest_goes_on(perceiver):
    stamp_ns = now_ns()
    assert not perceiver.push(AudioChunk(stamp_ns - 20 * MS, np.full(320, np.nan, np.float32), RATE_HZ, 0))
    assert perceiver.push(Frame(stamp_ns, picture()))
    assert not perceiver.step().senses["audio"].valid
    assert perceiver.drops()["audio"] == {"not_finite": 1}


@pytest.mark.parametrize("pcm", [np.zeros(25_600, np.float32), np.sign(np.sin(np.arange(25_600, dtype=np.float32)))])
def test_silence_and_clipping_are_no_confident_objects(pcm):
    perceiver = Perceiver.open(DEFAULT_BUNDLE, senses=["audio"])
    perceiver.push(AudioChunk(now_ns(before_ms=1600), pcm, RATE_HZ, 0))
    percept = perceiver.step()
    assert percept.label == "nothing" or percept.confidence < 0.9


def test_prompts_name_the_classes_and_nothing_stays_among_them():
    perceiver = Perceiver.open(DEFAULT_BUNDLE, prompts=["a crimson sphere", "a green cube"])
    assert perceiver.labels == ("a crimson sphere", "a green cube", "nothing")
    perceiver.push(Text(now_ns(), "a red ball"))
    percept = perceiver.step()
    assert set(percept.scores) == set(perceiver.labels)
    assert percept.label == "a crimson sphere"


@pytest.mark.parametrize(
    ("prompts", "said"),
    [([""], "empty"), (["   "], "empty"), (["x" * 10_000], "10000 characters"), (["a", "a"], "given twice")],
)
def test_prompts_that_name_nothing_are_refused(prompts, said):
    with pytest.raises(PromptError, match=said):
        Perceiver.open(DEFAULT_BUNDLE, prompts=prompts)


def test_a_sense_that_the_bundle_lacks():
    with pytest.raises(BundleError, match="no modality 'touch'"):
        Perceiver.open(DEFAULT_BUNDLE, senses=["touch"])


def clip_content() -> list[dict]:
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    clip = Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=False)
    return [percept.as_json() | {"trace": None} for percept in itertools.islice(perceiver.perceive(clip), 100)]


def test_a_clip_read_twice_gives_the_same_percepts():
    first = clip_content()
    assert len(first) == 100
    assert first == clip_content()


def test_a_live_clip_gives_the_percepts_of_its_frames_and_leaves_no_thread():
    before = threading.active_count()
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    clip = Clip(DEFAULT_CLIP, sound_beside(DEFAULT_CLIP), live=True)
    percepts = []
    for percept in perceiver.perceive(clip):
        percepts.append(percept)
        if percept.senses["audio"].valid and len(percepts) >= 20:
            break
    del percept
    percepts_of_frames = [p for p in percepts if p.senses["image"].age_ms == 0]
    assert len(percepts_of_frames) >= 19
    assert all(p.trace.latency_ms > 0 for p in percepts)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_samples_pushed_from_another_thread_come_out_as_percepts():
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    percepts = perceiver.perceive()

    def callback():
        perceiver.push(Frame(now_ns(), picture()))

    thread = threading.Thread(target=callback)
    thread.start()
    assert next(percepts).senses["image"].valid
    thread.join()
    perceiver.close()
    assert list(percepts) == []


def test_a_perceiver_that_was_closed_perceives_again():
    perceiver = Perceiver.open(DEFAULT_BUNDLE)
    for _ in range(2):
        percepts = perceiver.perceive()
        perceiver.push(Frame(now_ns(), picture()))
        assert next(percepts).senses["image"].valid
        perceiver.close()
        assert list(percepts) == []


def test_prompts_can_be_named_anew_at_run_time(perceiver):
    perceiver.set_prompts(["a red ball", "a green cube"])
    perceiver.push(Frame(now_ns(), picture()))
    assert set(perceiver.step().scores) == {"a red ball", "a green cube", "nothing"}
    with pytest.raises(PromptError, match="empty"):
        perceiver.set_prompts([" "])
    assert perceiver.labels == ("a red ball", "a green cube", "nothing")


def test_the_fusion_rate_can_be_changed_at_run_time(perceiver):
    start_ns = now_ns(before_ms=1000)

    def percepts_of_frames(first: int) -> int:
        pushed = (perceiver.push(Frame(start_ns + n * 30 * MS, picture())) for n in range(first, first + 10))
        return sum(perceiver.step() is not None for _ in pushed)

    assert percepts_of_frames(0) == 10
    perceiver.set_fuse_on(10.0)
    assert percepts_of_frames(10) == 3


def test_what_is_too_old_can_be_changed_at_run_time(perceiver):
    start_ns = now_ns(before_ms=1000)
    perceiver.push(Text(start_ns, "a red ball"))
    perceiver.set_max_age_ms({"text": 100})
    perceiver.push(Frame(start_ns + 200 * MS, picture()))
    assert not perceiver.step().senses["text"].valid
    perceiver.set_max_age_ms({})
    perceiver.push(Frame(start_ns + 210 * MS, picture()))
    assert perceiver.step().senses["text"].valid


def test_it_says_what_runs_its_graphs(perceiver):
    assert perceiver.backends == dict.fromkeys(("image", "audio", "text", "fusion"), "onnxruntime-cpu")


class BreaksOff(Stream):
    """A stream that fails after its first frame."""

    def __init__(self, live: bool):
        self.live, self.closed = live, False

    def __iter__(self):
        yield Frame(now_ns() if self.live else 0, picture())
        raise StreamError("the cable was pulled")

    def close(self):
        self.closed = True


@pytest.mark.parametrize("live", [True, False])
def test_a_stream_that_breaks_off_is_not_taken_for_its_end(live):
    stream = BreaksOff(live)
    with pytest.raises(StreamError, match="the cable was pulled"):
        list(Perceiver.open(DEFAULT_BUNDLE).perceive(stream))
    assert stream.closed


def test_live_streams_and_recordings_do_not_mix():
    with pytest.raises(StreamError, match="cannot run together"):
        Perceiver.open(DEFAULT_BUNDLE).perceive(BreaksOff(True), BreaksOff(False))
