"""What is traced: one graph per sense and one for the fusion, or one of a whole network; each is tried first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from edgefuse.export.errors import ExportError
from edgefuse.export.feeds import Feed
from edgefuse.export.spec import FusionSpec, ModalitySpec
from edgefuse.export.tracing.modules import EncoderGraph, FusionGraph, WholeGraph
from edgefuse.export.tracing.outputs import ENCODER_OUTPUTS
from edgefuse.export.tracing.trial import TRIAL_CLASSES, TRIAL_SAMPLES, EncoderTrial, FusionTrial
from edgefuse.runtime.bundle.manifest import ImageModality, TextModality
from edgefuse.runtime.senses.tokenizer import token_ids

EXAMPLE_BATCH = 5
"""Of the traced inputs: neither 0, 1 nor likely to be another size of the network's, which the tracer would take for
the same."""

INPUTS = {"image": "frame", "audio": "pcm", "text": "ids", "signal": "series"}
"""An encoder graph's only input, by the kind of sense."""

Sizes = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class GraphSource:
    """A graph before it is ONNX.

    `module` is called with `arguments`, the graph's `inputs` in order, and gives its `outputs` as a tuple. `sizes`
    names the varying dimensions of each input: {axis: name}. `feed` holds a few real samples. `features` is the path,
    within `module`, of the arithmetic that stays in float32; "" if there is none.
    """

    name: str
    module: nn.Module
    arguments: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: tuple[Sizes, ...]
    feed: Feed
    features: str = ""

    @property
    def takes_any_frame(self) -> bool:
        """Whether the height and width of frames vary."""
        return any(len(sizes) > 1 for sizes in self.sizes)

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """PyTorch's outputs for one batch of inputs by name."""
        tensors = [torch.from_numpy(arrays[name].copy()) for name in self.inputs]  # a module may write into its inputs
        with torch.inference_mode():
            values = self.module(*tensors)
        return {name: value.numpy() for name, value in zip(self.outputs, values, strict=True)}


def graph_sources(spec: FusionSpec) -> list[GraphSource]:
    """Every graph of an inspected spec: its encoders in order, then `fusion`.

    Each module is tried on real samples; raises ExportError that names it, what it gave and what was expected.
    """
    if not spec.is_split:
        return [whole_source(spec)]
    encoders = [encoder_source(spec, modality) for modality in spec.modalities]
    return [*encoders, fusion_source(spec, encoders)]


def encoder_source(spec: FusionSpec, modality: ModalitySpec) -> GraphSource:
    """The graph of one sense. A frame's height and width vary if another size gives the same shapes."""
    if modality.encoder is None:
        raise ExportError(f"{modality.name} has no encoder")
    module = EncoderGraph(modality.encoder).eval()
    trial = EncoderTrial(f"the encoder of {modality.name} ({type(modality.encoder).__name__})", module)
    example = few(spec, modality)
    samples = example[:TRIAL_SAMPLES]
    trial.run(samples)
    sizes = {0: "batch"}
    if isinstance(modality.described, ImageModality) and trial.takes(enlarge(samples), like=samples):
        example, sizes = enlarge(example), {0: "batch", 1: "height", 2: "width"}
    name = INPUTS[modality.described.kind]
    return GraphSource(
        name=modality.name,
        module=module,
        arguments=(example,),
        inputs=(name,),
        outputs=ENCODER_OUTPUTS,
        sizes=(sizes,),
        feed=Feed({name: samples.numpy()}),
        features=f"encoder.{modality.features}" if modality.features else "",
    )


def fusion_source(spec: FusionSpec, encoders: Sequence[GraphSource]) -> GraphSource:
    """The fusion graph; its example tokens are what the encoders make of real samples."""
    module = FusionGraph(spec.fusion, len(encoders)).eval()
    trial = FusionTrial(f"the fusion ({type(spec.fusion).__name__})", module, len(spec.labels))
    prompts = torch.from_numpy(prompt_embeddings(spec, encoders)) if "prompts" in module.extras else None
    sensed: dict[str, Tensor] = {}
    for modality, encoder in zip(spec.modalities, encoders, strict=True):
        encoded = encoder.run({encoder.inputs[0]: few(spec, modality).numpy()})
        sensed |= {f"{encoder.name}_{part}": torch.from_numpy(array) for part, array in encoded.items()}
    outputs = trial.run([tensor[:TRIAL_SAMPLES] for tensor in sensed.values()], prompts)
    return _fusion(module, sensed, [{0: "batch"}] * len(sensed), prompts, outputs)


def whole_source(spec: FusionSpec) -> GraphSource:
    """The only graph of a network that is not split."""
    module = WholeGraph(spec.fusion, len(spec.modalities)).eval()
    trial = FusionTrial(f"the network ({type(spec.fusion).__name__})", module, len(spec.labels))
    if "prompts" in module.extras:
        raise ExportError(f"{trial.title} takes prompts, and no text sense has an encoder that makes them")
    sensed = {modality.name: few(spec, modality) for modality in spec.modalities}
    samples = [tensor[:TRIAL_SAMPLES] for tensor in sensed.values()]
    outputs = trial.run(samples, None)
    features = next((f"fusion.{modality.features}" for modality in spec.modalities if modality.features), "")
    source = _fusion(module, sensed, [{0: "batch"}] * len(sensed), None, outputs, features)
    larger = [enlarge(sensed[m.name]) if _is_image(m) else sensed[m.name] for m in spec.modalities]
    if not trial.takes([tensor[:TRIAL_SAMPLES] for tensor in larger], like=samples):
        return source
    extras = source.arguments[len(larger) :], source.sizes[len(larger) :]
    sizes = [_varying(modality) for modality in spec.modalities]
    return replace(source, arguments=(*larger, *extras[0]), sizes=(*sizes, *extras[1]))


def prompt_embeddings(spec: FusionSpec, encoders: Sequence[GraphSource]) -> np.ndarray:
    """The labels' prompts (classes, dim) by the first text sense that has an encoder."""
    texts = [modality.described for modality in spec.modalities if isinstance(modality.described, TextModality)]
    if not texts or spec.tokenizer is None:
        raise ExportError(f"the fusion ({type(spec.fusion).__name__}) takes prompts, and no text sense makes them")
    encoder = next(encoder for encoder in encoders if encoder.name == texts[0].name)
    ids = token_ids(spec.tokenizer, list(spec.labels.values()), texts[0].max_tokens)
    return encoder.run({encoder.inputs[0]: ids})["embedding"]


def few(spec: FusionSpec, modality: ModalitySpec) -> Tensor:
    """EXAMPLE_BATCH samples of a sense, some of them twice if there are fewer."""
    samples = spec.holdout.samples[modality.name]
    return torch.from_numpy(samples[np.arange(EXAMPLE_BATCH) % len(samples)])


def enlarge(frames: Tensor) -> Tensor:
    """Frames (batch, rows, columns, 3) continued to a larger size, of unequal sides that no step divides."""
    rows, columns = frames.shape[1] + 37, frames.shape[2] + 58
    columns += 2 * (rows == columns)
    return frames[:, torch.arange(rows) % frames.shape[1]][:, :, torch.arange(columns) % frames.shape[2]]


def _fusion(
    module: FusionGraph,
    sensed: Mapping[str, Tensor],
    sizes: Sequence[Sizes],
    prompts: Tensor | None,
    outputs: tuple[str, ...],
    features: str = "",
) -> GraphSource:
    extras: dict[str, tuple[Tensor, Sizes]] = {}
    if "present" in module.extras:
        extras["present"] = torch.ones(EXAMPLE_BATCH, module.senses, dtype=torch.bool), {0: "batch"}
    if prompts is not None:
        extras["prompts"] = prompts[torch.arange(TRIAL_CLASSES) % len(prompts)], {0: "classes"}
    rows = {name: tensor[:TRIAL_SAMPLES].numpy() for name, tensor in sensed.items()}
    if "present" in extras:
        rows["present"] = extras["present"][0][:TRIAL_SAMPLES].numpy()
    return GraphSource(
        name="fusion",
        module=module,
        arguments=(*sensed.values(), *(tensor for tensor, _ in extras.values())),
        inputs=(*sensed, *extras),
        outputs=outputs,
        sizes=(*sizes, *(size for _, size in extras.values())),
        feed=Feed(rows, {} if prompts is None else {"prompts": prompts.numpy()}),
        features=features,
    )


def _is_image(modality: ModalitySpec) -> bool:
    return isinstance(modality.described, ImageModality)


def _varying(modality: ModalitySpec) -> Sizes:
    if not _is_image(modality):
        return {0: "batch"}
    return {0: "batch", 1: f"{modality.name}_height", 2: f"{modality.name}_width"}


def with_fixed_frames(source: GraphSource) -> GraphSource:
    """The same graph for frames of the examples' own size only."""
    samples = source.feed.arrays
    arguments = tuple(
        tensor if len(sizes) < 2 else torch.from_numpy(samples[name])[torch.arange(len(tensor)) % len(samples[name])]
        for name, tensor, sizes in zip(source.inputs, source.arguments, source.sizes, strict=True)
    )
    sizes = tuple({axis: name for axis, name in one.items() if axis == 0} for one in source.sizes)
    return replace(source, arguments=arguments, sizes=sizes)
