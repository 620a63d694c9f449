"""The perception node's parameters, as a user sees and sets them."""

import shutil

import pytest
from sealed import edit

from edgefuse.runtime import DEFAULT_BUNDLE


def test_every_parameter_is_described_and_bounded(ros):
    from rcl_interfaces.srv import DescribeParameters

    from edgefuse_ros.parameters import entries
    from edgefuse_ros.settings import PerceptionSettings

    perception = ros.start("perception_node")
    names = [entry.name for entry in entries(PerceptionSettings)]
    request = DescribeParameters.Request(names=names)
    described = ros.call(DescribeParameters, f"{perception}/describe_parameters", request).descriptors
    assert [each.name for each in described] == names
    assert all(each.description and each.additional_constraints for each in described)
    by_name = {each.name: each for each in described}
    assert by_name["min_confidence"].floating_point_range[0].to_value == 1.0
    assert "only while" in by_name["senses"].additional_constraints


def test_what_may_change_while_active_does_and_the_rest_is_refused_with_the_reason(ros, tmp_path):
    from ros_samples import image

    from edgefuse_msgs.msg import Percept
    from edgefuse_msgs.srv import SetPrompts

    percepts = ros.hear(Percept, "percepts")
    perception = ros.start("perception_node", autostart=True)
    images = publisher_of_images(ros)

    def next_percept():
        percepts.clear()

        def came() -> bool:
            images.publish(image(ros.node.get_clock().now().to_msg()))
            ros.spin(0.02)
            return bool(percepts)

        ros.until(came, "a percept")
        return percepts[-1]

    assert len(next_percept().labels) == 37
    assert ros.set(perception, prompts=["a red ball", "a green cube"]) is None
    assert list(next_percept().labels) == ["a red ball", "a green cube", "nothing"]
    answer = ros.call(SetPrompts, f"{perception}/set_prompts", SetPrompts.Request(prompts=["a blue star"]))
    assert (answer.success, answer.message, list(answer.labels)) == (True, "", ["a blue star", "nothing"])
    assert list(next_percept().labels) == ["a blue star", "nothing"]
    assert not next_percept().calibrated, "which was measured with the bundle's own prompts"
    far = ros.call(SetPrompts, f"{perception}/set_prompts", SetPrompts.Request(prompts=["a zebra"]))
    assert far.success
    assert "'a zebra' is far from all that training knew" in far.message
    one = next_percept()
    assert (one.far_prompt, one.label) in ((True, "a zebra"), (False, "nothing"))
    for same in ("A Blue  STAR", "a blue star"), ("red " * 40,):
        refusal = ros.call(SetPrompts, f"{perception}/set_prompts", SetPrompts.Request(prompts=same))
        assert not refusal.success
        assert "are the same" in refusal.message or "would be cut" in refusal.message
        assert list(refusal.labels) == ["a zebra", "nothing"]
    assert ros.set(perception, prompts=["a blue star"]) is None
    answer = ros.call(SetPrompts, f"{perception}/set_prompts", SetPrompts.Request(prompts=["x" * 600]))
    assert not answer.success
    assert "600 characters" in answer.message
    assert list(next_percept().labels) == ["a blue star", "nothing"]
    assert ros.set(perception, prompts=[""]) is None
    assert ros.set(perception, max_age_ms__audio=250.0, fusion_rate_hz=100.0, limits__latency_warn_ms=80.0) is None
    assert "only while the node is unconfigured" in ros.set(perception, senses=["image"])
    assert "max_age_ms.image" in ros.set(perception, max_age_ms__image=-1.0)
    assert "fuse_on" in ros.set(perception, fuse_on="never")
    assert "no such bundle" in ros.set(perception, bundle="/nowhere")
    first = next_percept().bundle_id
    other = shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    edit(other, lambda manifest: manifest["made"].update(command="made again"))
    assert ros.set(perception, bundle=str(other)) is None
    assert next_percept().bundle_id not in ("", first)
    (other / "image.onnx").write_bytes(b"")
    assert ros.set(perception, bundle="") is None
    assert "image.onnx was altered" in ros.set(perception, bundle=str(other))
    assert next_percept().bundle_id == first


def publisher_of_images(ros):
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    images = ros.node.create_publisher(Image, "image", qos_profile_sensor_data)
    ros.until(lambda: images.get_subscription_count() > 0, "a subscription")
    return images


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-p", "fuse_on:=sometimes"], "fuse_on"),
        (["-p", "prompts:=[3]"], "prompts"),
        (["-p", "min_confidence:=2.0"], "min_confidence"),
    ],
)
def test_a_node_that_is_told_nonsense_says_so_and_ends(ros, options, said):
    assert ros.start_and_end("perception_node", *options) == 2
    assert said in ros.log("perception").splitlines()[-1]
