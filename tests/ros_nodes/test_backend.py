"""The parameter `backend` chooses what runs the graphs, also while the node is active."""

import pytest
from ros_domain import statuses


@pytest.mark.usefixtures("no_gpu")
def test_the_backend_is_described_shown_and_changed_and_one_that_cannot_work_is_refused(ros):
    from diagnostic_msgs.msg import DiagnosticArray
    from rcl_interfaces.srv import DescribeParameters

    diagnostics = ros.hear(DiagnosticArray, "/diagnostics")
    perception = ros.start("perception_node", autostart=True, backend="cpu")

    def shown() -> str | None:
        diagnostics.clear()
        ros.until(lambda: "perception: perception" in statuses(diagnostics), "diagnostics")
        values = {pair.key: pair.value for pair in statuses(diagnostics)["perception: perception"].values}
        return values.get("backend of image")

    request = DescribeParameters.Request(names=["backend"])
    (described,) = ros.call(DescribeParameters, f"{perception}/describe_parameters", request).descriptors
    assert described.additional_constraints == "one of auto, cpu, openvino, cuda, tensorrt; may change at any time"
    assert shown() == "onnxruntime-cpu"
    assert "backend cuda cannot run the graph" in ros.set(perception, backend="cuda")
    assert "backend" in ros.set(perception, backend="abacus")
    assert shown() == "onnxruntime-cpu"
    assert ros.set(perception, backend="auto") is None
    assert shown() == "onnxruntime-cpu"


@pytest.mark.usefixtures("no_gpu")
def test_a_node_whose_backend_cannot_work_stays_unconfigured_and_says_why(ros):
    perception = ros.start("perception_node", backend="tensorrt")
    assert not ros.change(perception, "configure")
    assert "cannot configure: backend tensorrt cannot run the graph" in ros.log(perception)
