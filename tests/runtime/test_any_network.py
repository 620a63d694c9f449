"""Networks unlike the default one: other senses, no text, no encoders, fewer outputs."""

import time

import numpy as np
import pytest
from sealed import edit
from small_networks import FUSION_OF_TWO, IMU_HZ, WHOLE, WHOLE_WITH_MASK, image, imu, write_bundle

from edgefuse.runtime import BundleError, Frame, Perceiver, PromptError, Signal, Text

MS = 1_000_000
RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


def see(perceiver: Perceiver, colour: np.ndarray, stamp_ns: int, sense: str = "image", size=(96, 128)) -> bool:
    picture = np.broadcast_to(255 * colour, (*size, 3)).astype(np.uint8)
    return perceiver.push(Frame(stamp_ns, picture, "rgb8", sense))


def feel(perceiver: Perceiver, motion: np.ndarray, until_ns: int, sense: str = "imu", index: int = 0) -> bool:
    values = np.tile(motion, (20, 1)).astype(np.float32)
    return perceiver.push(Signal(until_ns - 200 * MS, values, IMU_HZ, index, sense))


@pytest.fixture
def now_ns() -> int:
    return time.monotonic_ns() - 10_000 * MS


@pytest.fixture
def seen_and_felt(tmp_path) -> Perceiver:
    """An image and a motion encoder, and a fusion that says nothing but the scores."""
    return Perceiver.open(write_bundle(tmp_path / "bundle", [image(), imu()], FUSION_OF_TWO.format("image", "imu")))


@pytest.fixture
def whole(tmp_path) -> Perceiver:
    """One graph that needs both."""
    return Perceiver.open(write_bundle(tmp_path / "bundle", [image(graph=False), imu(graph=False)], WHOLE))


@pytest.fixture
def whole_with_mask(tmp_path) -> Perceiver:
    """One graph that does with either."""
    return Perceiver.open(write_bundle(tmp_path / "bundle", [image(graph=False), imu(graph=False)], WHOLE_WITH_MASK))


def test_a_camera_and_an_inertial_sensor_without_any_text(seen_and_felt, now_ns):
    assert seen_and_felt.labels == ("red", "green", "blue")
    assert see(seen_and_felt, 0.2 * GREEN, now_ns)
    assert seen_and_felt.step().label == "green"
    assert feel(seen_and_felt, BLUE, now_ns)
    assert see(seen_and_felt, 0.2 * GREEN, now_ns + 50 * MS)
    percept = seen_and_felt.step()
    assert percept.label == "blue"
    assert percept.senses["imu"].valid
    assert percept.senses["imu"].age_ms == 50
    assert sum(percept.scores.values()) == pytest.approx(1)


def test_what_a_network_does_not_say_is_none(seen_and_felt, now_ns):
    see(seen_and_felt, RED, now_ns)
    feel(seen_and_felt, RED, now_ns)
    percept = seen_and_felt.step()
    assert percept.embedding is None
    assert percept.agreement is None
    assert not percept.contradiction
    for sense in percept.senses.values():
        assert sense.valid
        assert (sense.weight, sense.label, sense.confidence) == (None, None, None)
    assert percept.as_json()["senses"]["imu"] == {"weight": None, "age_ms": 0, "valid": True, "label": None}


def test_a_network_that_needs_every_sense_waits_for_all_of_them(whole, now_ns):
    see(whole, 0.2 * RED, now_ns)
    assert whole.step() is None
    assert feel(whole, GREEN, now_ns + 5 * MS)
    assert whole.step() is None, "nothing was felt before the frame"
    see(whole, 0.2 * RED, now_ns + 33 * MS)
    percept = whole.step()
    assert percept.label == "green"
    assert percept.stamp_ns == now_ns + 33 * MS
    assert percept.senses["image"].valid
    assert percept.senses["imu"].valid
    see(whole, 0.2 * RED, now_ns + 600 * MS)
    assert whole.step() is None, "what was felt is too old"


def test_a_sense_that_is_late_completes_the_percept_that_waited_for_it(whole, now_ns):
    see(whole, 0.2 * RED, now_ns)
    assert whole.step() is None
    feel(whole, BLUE, now_ns - 5 * MS)
    percept = whole.step()
    assert percept.stamp_ns == now_ns
    assert percept.label == "blue"
    assert percept.senses["imu"].age_ms == 5


def test_a_sense_that_is_needed_cannot_be_left_out(tmp_path, whole):
    with pytest.raises(BundleError, match="needs all its senses, image, imu: it cannot do without imu"):
        Perceiver(whole.bundle, senses=["image"])


def test_raw_senses_that_are_absent_are_masked_out(whole_with_mask, now_ns):
    assert feel(whole_with_mask, GREEN, now_ns)
    before_any_frame = whole_with_mask.step()
    assert before_any_frame.label == "green"
    assert before_any_frame.senses["imu"].weight == 1
    assert before_any_frame.senses["image"].weight == 0
    assert see(whole_with_mask, RED, now_ns + 20 * MS, size=(200, 300))
    both = whole_with_mask.step()
    assert both.senses["image"].weight == pytest.approx(0.5)
    assert both.scores["red"] == pytest.approx(both.scores["green"])
    feel(whole_with_mask, BLUE, now_ns + 1000 * MS, index=20)
    after_the_frame = whole_with_mask.step()
    assert not after_the_frame.senses["image"].valid
    assert after_the_frame.label == "blue"
    see(whole_with_mask, RED, now_ns + 3000 * MS, size=(64, 64))
    assert whole_with_mask.step().senses["imu"].weight == 0


def test_two_cameras_are_told_apart_by_their_names(tmp_path, now_ns):
    cameras = [image("front_camera"), image("rear_camera", graph=True)]
    bundle = write_bundle(tmp_path / "bundle", cameras, FUSION_OF_TWO.format("front_camera", "rear_camera"))
    perceiver = Perceiver.open(bundle)
    assert set(perceiver.backends) == {"front_camera", "rear_camera", "fusion"}
    assert not see(perceiver, RED, now_ns, "image"), "no sense has that name"
    assert see(perceiver, 0.5 * RED, now_ns, "front_camera")
    assert see(perceiver, BLUE, now_ns, "rear_camera")
    assert perceiver.step().label == "blue"
    assert see(perceiver, 0.5 * RED, now_ns + 300 * MS, "front_camera")
    percept = perceiver.step()
    assert percept.label == "red"
    assert not percept.senses["rear_camera"].valid


def test_a_camera_that_is_encoded_beside_a_sensor_that_is_not(tmp_path, now_ns):
    fusion = FUSION_OF_TWO.format("image", "imu").replace("float[batch, 3] imu_embedding", "float[batch, 20, 3] imu")
    mean = "felt = ReduceMean<axes = [1], keepdims = 0>(imu)"
    fusion = fusion.replace("of_second = Mul(imu_embedding", f"{mean}\n  of_second = Mul(felt")
    perceiver = Perceiver.open(write_bundle(tmp_path / "bundle", [image(), imu(graph=False)], fusion))
    assert set(perceiver.backends) == {"image", "fusion"}
    see(perceiver, 0.2 * RED, now_ns)
    assert perceiver.step().label == "red"
    feel(perceiver, BLUE, now_ns)
    see(perceiver, 0.2 * RED, now_ns + 10 * MS)
    assert perceiver.step().label == "blue"


def test_raw_streams_side_by_side(whole, now_ns):
    """In threads, as on a robot."""
    percepts = whole.perceive()
    feel(whole, GREEN, time.monotonic_ns())
    see(whole, RED, time.monotonic_ns())
    assert next(percepts).senses["imu"].valid
    whole.close()
    assert list(percepts) == []


def test_classes_that_are_fixed_take_no_prompts(seen_and_felt, now_ns):
    said = "the classes of bundle 'colours' are fixed, its fusion graph takes no prompts"
    with pytest.raises(PromptError, match=said):
        Perceiver(seen_and_felt.bundle, prompts=["something red"])
    with pytest.raises(PromptError, match=said):
        seen_and_felt.set_prompts(["something red"])
    seen_and_felt.set_prompts([])
    assert seen_and_felt.labels == ("red", "green", "blue")


def test_signals_that_do_not_fit_are_refused(seen_and_felt, now_ns):
    feel(seen_and_felt, RED, now_ns)
    assert not seen_and_felt.push(Signal(now_ns, np.zeros((4, 2), np.float32), IMU_HZ, 20, "imu"))
    assert not seen_and_felt.push(Text(now_ns, "red", "imu"))
    assert seen_and_felt.drops()["imu"] == {"malformed": 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["fusion"]["inputs"].append(m["fusion"]["inputs"][0] | {"name": "sonar"}), "'sonar' is of no"),
        (lambda m: m["fusion"]["outputs"][0].update(name="logits"), "no output 'scores', only logits"),
        (lambda m: m["modalities"][0].update(name="fusion"), "a modality cannot be named 'fusion'"),
        (lambda m: m["modalities"][1].update(graph=None), "'imu' has no graph, so the fusion graph has to take it"),
        (lambda m: m["fusion"]["inputs"].pop(1), "'imu' is encoded, but the fusion graph takes none of imu_tokens"),
        (lambda m: m["fusion"]["inputs"][1].update(shape=["batch", 4]), "imu_embedding float32 ['batch', 4]"),
        (lambda m: m["fusion"]["inputs"][2].update(shape=["batch", 3]), "present bool ['batch', 3], which should be"),
        (lambda m: m["fusion"]["outputs"][0].update(shape=["batch", 7]), "scores float32 ['batch', 7], which should"),
        (lambda m: m["modalities"][1].update(channels=6), "the graph of 'imu' has window float32 ['batch', 20, 3]"),
        (lambda m: m["modalities"][0]["graph"]["inputs"][0].update(dtype="float32"), "frame float32"),
        (
            lambda m: m["fusion"]["inputs"].append({"name": "prompts", "dtype": "float32", "shape": ["classes", 3]}),
            "takes prompts, so a text sense whose graph gives an embedding has to be there",
        ),
        (
            lambda m: m["modalities"].append(m["modalities"][0] | {"name": "said", "kind": "text", "max_tokens": 8}),
            "the text sense 'said' needs a tokenizer",
        ),
    ],
)
def test_graphs_that_do_not_fit_together_are_one_line(tmp_path, change, said):
    bundle = write_bundle(tmp_path / "bundle", [image(), imu()], FUSION_OF_TWO.format("image", "imu"))
    with pytest.raises(BundleError) as error:
        Perceiver.open(edit(bundle, change))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
