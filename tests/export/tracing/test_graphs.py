"""A network that is not what its spec says is refused in one line: the module, what it gave, what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgefuse.export.errors import ExportError
from edgefuse.export.exporter import check_senses_read, trace_graph
from edgefuse.export.spec import Examples, FusionSpec
from edgefuse.export.tracing.graphs import graph_sources
from edgefuse.export.tracing.inspection import inspect
from edgefuse.export.tracing.onnx_export import tensor_specs


class Encoder(nn.Module):
    """Gives what a function makes of the first twelve numbers of each sample."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, series: Tensor) -> object:
        return self.function(series.flatten(1)[:, :12])


class Fusion(networks.Both):
    """Gives what a function makes of the scores."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, tokens: list[Tensor], embeddings: list[Tensor]) -> object:
        return self.function(super().forward(tokens, embeddings))


class Unmasked(networks.Both):
    def forward(self, tokens: list[Tensor], embeddings: list[Tensor], present: Tensor) -> Tensor:
        return super().forward(tokens, embeddings) + 0 * present.sum()


class Prompted(networks.Both):
    def forward(self, tokens: list[Tensor], embeddings: list[Tensor], prompts: Tensor) -> Tensor:
        return super().forward(tokens, embeddings)


class Deaf(networks.Both):
    def forward(self, tokens: list[Tensor], embeddings: list[Tensor]) -> Tensor:
        return embeddings[0][:, :3].softmax(dim=-1)


def fail(x: Tensor) -> Tensor:
    raise KeyError("no such layer")


ENCODERS = {
    "gave a list of 3, expected tokens and embedding": lambda x: [x, x, x],
    "gave a dict of last_hidden_state, expected": lambda x: {"last_hidden_state": x},
    "gave tokens float32 [3, 12], expected float32 [3, any, any]": lambda x: (x, x),
    "gave tokens float32 [1, 3, 12], expected float32 [3, any, any]": lambda x: (x[None], x),
    "gave tokens float64 [3, 1, 12], expected float32": lambda x: x.double(),
    "gave tokens with NaN or infinity on real samples": lambda x: x / 0,
    "gives other tokens for a sample alone than for the same one in a batch": lambda x: x - x.mean(dim=0),
    "failed on real samples: KeyError: 'no such layer' (": fail,
}
FUSIONS = {
    "gave scores float32 [3, 2], expected float32 [3, 3]": lambda scores: scores[:, :2],
    "that sum to 2, expected probabilities": lambda scores: 2 * scores,
    "gave loss, which is none of scores, sense_scores": lambda scores: {"scores": scores, "loss": scores},
    "gave a dict of logits, expected scores": lambda scores: {"logits": scores},
    "gave a float as agreement, expected a tensor": lambda scores: {"scores": scores, "agreement": 1.0},
    "gave weights float32 [3, 3], expected float32 [3, 2]": lambda scores: {"scores": scores, "weights": scores},
}
SPOILT: dict[str, Callable[[FusionSpec], FusionSpec]] = {
    "two modalities are called camera": lambda spec: replace(spec, modalities=(spec.modalities[0],) * 2),
    "imu has no encoder and others have": lambda spec: replace(
        spec, modalities=(spec.modalities[0], replace(spec.modalities[1], encoder=None))
    ),
    "background 'gone' is not one of the labels": lambda spec: replace(spec, background="gone"),
    "no labels": lambda spec: replace(spec, labels={}),
    "Glance has no submodule 'mel' (features)": lambda spec: replace(
        spec, modalities=(replace(spec.modalities[0], features="mel"), spec.modalities[1])
    ),
    "no calibration samples of camera": lambda spec: replace(spec, calibration=networks.examples(0, 1, False)),
    "the calibration examples have samples of smell, which is no modality": lambda spec: with_calibration(
        spec, smell=spec.calibration.samples["imu"]
    ),
    "the hold-out examples have no samples of imu": lambda spec: replace(
        spec, holdout=Examples({"camera": spec.holdout.samples["camera"]})
    ),
    "calibration samples of imu are float32 [20, 5, 6], expected float32 [samples, 20, 6]": lambda spec: (
        with_calibration(spec, imu=spec.calibration.samples["imu"][:, :5])
    ),
    "calibration samples of imu hold NaN or infinity": lambda spec: with_calibration(
        spec, imu=np.nan * spec.calibration.samples["imu"]
    ),
    "the calibration examples are not in step: 20 of camera, 3 of imu": lambda spec: with_calibration(
        spec, imu=spec.calibration.samples["imu"][:3]
    ),
    "the hold-out labels are 7 to 7; there are 3 classes": lambda spec: replace(
        spec, holdout=Examples(spec.holdout.samples, np.full(20, 7))
    ),
    "the weights camera.convolution.weight hold NaN or infinity": lambda spec: with_weights(spec, torch.nan),
    "the weights camera.convolution.weight are float16; make the network float32": lambda spec: (
        spec.modalities[0].encoder.half() and spec
    ),
}


def with_calibration(spec: FusionSpec, **samples: np.ndarray) -> FusionSpec:
    return replace(spec, calibration=Examples({**spec.calibration.samples, **samples}))


def with_weights(spec: FusionSpec, value: float) -> FusionSpec:
    with torch.no_grad():
        spec.modalities[0].encoder.convolution.weight[0, 0, 0, 0] = value
    return spec


@pytest.mark.parametrize("said", ENCODERS)
def test_an_encoder_that_gives_something_else_is_named(said: str) -> None:
    with pytest.raises(ExportError, match=re.escape(f"the encoder of imu (Encoder) {said}")) as caught:
        graph_sources(networks.split_spec(feel=Encoder(ENCODERS[said])))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("said", FUSIONS)
def test_a_fusion_that_gives_something_else_is_named(said: str) -> None:
    with pytest.raises(ExportError, match=r"the fusion \(Fusion\) .*" + re.escape(said)) as caught:
        graph_sources(networks.split_spec(both=Fusion(FUSIONS[said])))
    assert "\n" not in str(caught.value)


def test_a_fusion_that_reads_what_is_absent_is_refused() -> None:
    with pytest.raises(ExportError, match="reads a sense that is not present"):
        graph_sources(networks.split_spec(both=Unmasked()))


def test_prompts_without_a_text_sense_are_refused() -> None:
    with pytest.raises(ExportError, match=r"\(Prompted\) takes prompts, and no text sense makes them"):
        graph_sources(networks.split_spec(both=Prompted()))


def test_a_sense_that_the_network_does_not_use_is_refused() -> None:
    spec = networks.split_spec(both=Deaf())
    fusion = trace_graph(graph_sources(spec)[-1])
    with pytest.raises(ExportError, match=r"the network \(Deaf\) does not use its sense imu"):
        check_senses_read(spec, fusion)


@pytest.mark.parametrize("said", SPOILT)
def test_a_spec_that_contradicts_itself_is_refused(said: str) -> None:
    with pytest.raises(ExportError, match=re.escape(said)) as caught:
        inspect(SPOILT[said](networks.split_spec()))
    assert "\n" not in str(caught.value)


class Overwriting(networks.Feel):
    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        series[:, 0] += 1
        return super().forward(series)


def test_a_module_may_write_into_its_input() -> None:
    spec = networks.split_spec(feel=Overwriting())
    before = spec.holdout.samples["imu"].copy()
    trace_graph(graph_sources(spec)[1])
    np.testing.assert_array_equal(spec.holdout.samples["imu"], before)


class OneSize(networks.Glance):
    """A network that learned a place for each cell of a frame of one size."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.ones(networks.SIDE, networks.SIDE + 8, 1))

    def forward(self, frame: Tensor) -> Tensor:
        return super().forward(frame * self.places)


def test_frames_vary_in_size_only_where_the_encoder_takes_another_size() -> None:
    any_size, one_size = (
        tensor_specs(list(trace_graph(graph_sources(networks.split_spec(glance))[0]).graph.input))[0].shape
        for glance in (networks.Glance(), OneSize())
    )
    assert any_size == ("batch", "height", "width", 3)
    assert one_size == ("batch", networks.SIDE, networks.SIDE + 8, 3)
