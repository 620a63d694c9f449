"""Training of the reference network: `train(settings, out)`."""

import ctypes
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from edgefuse.fusion.batch import Batch
from edgefuse.fusion.checkpoint import Checkpoint, save_checkpoint
from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.encoders import Encoded
from edgefuse.fusion.errors import PretrainedError, TrainingError
from edgefuse.fusion.losses import (
    agreement_loss,
    attribute_loss,
    cross_entropy,
    info_nce,
    place_loss,
    triplet,
)
from edgefuse.fusion.network import FusionNetwork
from edgefuse.fusion.prediction import NetworkPredictor
from edgefuse.fusion.prefetch import Batches, ahead
from edgefuse.fusion.progress import Progress, unseen
from edgefuse.fusion.settings import TrainingSettings
from edgefuse.fusion.task import Task
from edgefuse.fusion.tokenizer import continuation_from
from edgefuse.fusion.transfer import COMPACT, EncoderDirectories, start_network

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""


@dataclass(frozen=True, slots=True)
class Trained:
    """checkpoint: the file written; seconds: all in, data included; losses: a running mean at the end; accuracy: on
    what a folder of one's own keeps back for validation (of a built-in task see `measure_checkpoint`)."""

    checkpoint: Path
    seconds: float
    losses: dict[str, float]
    accuracy: dict[str, float]


def keep_freed_memory() -> None:
    """glibc returns large blocks to the system at once and pays a page fault per 4 KiB when they are next needed, a
    third of a training step's time; ask it to keep them. Elsewhere than on glibc nothing happens."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    except (OSError, AttributeError):
        pass


def train(
    task: Task, settings: TrainingSettings, out: str | Path, progress: Progress = unseen,
    encoders: EncoderDirectories = COMPACT,
) -> Trained:  # fmt: skip
    """Trains on a task, and writes OUT/checkpoint.safetensors and OUT/tensorboard/.

    Where `encoders` names a directory, that sense starts from its pretrained encoder: only the projections around it
    learn, or, with `settings.fine_tune`, it too. The weights written are the exponential moving average. `progress` has
    the task's own stages, then those of `courses`. Raises what the task raises (a `FusionError`), `PretrainedError`
    for an encoder that will not do, `TrainingError` where a loss is no finite number: then nothing is written.
    """
    started = time.monotonic()
    if settings.fine_tune and encoders == COMPACT:
        raise PretrainedError("nothing to fine-tune: name an image, audio or text encoder's directory")
    out = Path(out)
    keep_freed_memory()
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    own = NetworkConfig(audio_features=settings.audio_features)
    tokenizer = task.build_tokenizer(own.text_length)
    read_by = {"vocabulary_size": tokenizer.get_vocab_size(), "continuation_from": continuation_from(tokenizer)}
    network, tokenizer = start_network(own.model_copy(update=read_by), encoders, tokenizer)
    data = task.prepare(network.config, tokenizer, settings, progress)
    whole, fusion = courses(settings)
    averaged, losses = optimise(network, network, data.batches(), whole, settings, out / "tensorboard", progress)
    batches = data.fusion_batches()
    averaged, losses = optimise(averaged, averaged.fusion, batches, fusion, settings, out / "tensorboard", progress)
    trained = Checkpoint(averaged, tokenizer, task.labels, {}, network.config, data.record)
    accuracy = data.validate(NetworkPredictor(trained))
    path, seconds = out / "checkpoint.safetensors", time.monotonic() - started
    figures = {"training_s": round(seconds), **losses, **accuracy}
    save_checkpoint(path, replace(trained, figures=figures))
    return Trained(path, seconds, losses, accuracy)


@dataclass(frozen=True, slots=True)
class Course:
    """One run of the optimiser: its name in curves, the same in words for progress, its steps, its peak learning rate,
    the decay of its moving average."""

    name: str
    words: str
    steps: int
    rate: float
    average: float


def courses(settings: TrainingSettings) -> tuple[Course, Course]:
    """First the whole network; then the fusion alone, on senses that no longer change."""
    whole = Course(
        "steps", "training", settings.epochs * settings.steps_per_epoch, settings.learning_rate, settings.average
    )
    return whole, Course(
        "fusion", "training, fusion alone", settings.fusion_steps, settings.fusion_rate, settings.fusion_average
    )


def optimise(
    network: FusionNetwork, learned: nn.Module, batches: Batches, course: Course, settings: TrainingSettings, log: Path,
    progress: Progress,
) -> tuple[FusionNetwork, dict[str, float]]:  # fmt: skip
    """AdamW, one-cycle learning rate, bfloat16 autocast, moving average, on `learned`, a part of the network or all of
    it; the rest stays as it is. Returns the average and the last losses."""
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in PyTorch's stub
    learned.train().requires_grad_(True)
    backbones = nn.ModuleList(network.backbones())
    if not settings.fine_tune:
        backbones.eval().requires_grad_(False)
    groups = parameter_groups(learned, backbones, course.rate, settings)
    optimiser = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in groups], course.steps, pct_start=0.15
    )
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(course.average), use_buffers=True)
    recent: dict[str, float] = {}
    with SummaryWriter(str(log / course.name)) as writer:
        for step, batch in enumerate(ahead(batches, course.steps)):
            losses = batch_losses(network, batch)
            total = sum(getattr(settings.losses, name) * value for name, value in losses.items())
            numbers = {name: value.item() for name, value in {"total": total, **losses}.items()}
            check_losses(numbers, batch, course, step)
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            torch.nn.utils.clip_grad_norm_(learned.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            recent = smooth(recent, numbers)
            progress(f"{course.words}: {losses_text(recent)}", step + 1, course.steps)
            if step % 20 == 0:
                for name, value in recent.items():
                    writer.add_scalar(f"loss/{name}", value, step)
                writer.add_scalar("learning_rate", schedule.get_last_lr()[0], step)
    return cast(FusionNetwork, averaged.module.eval()), {name: round(value, 4) for name, value in recent.items()}


def check_losses(losses: dict[str, float], batch: Batch, course: Course, step: int) -> None:
    """Raises `TrainingError`, one line, where one is no finite number: nothing is learned from then on."""
    wrong = [name for name, value in losses.items() if not math.isfinite(value) and name != "total"]
    if math.isfinite(losses["total"]) and not wrong:
        return
    inputs = {"image": batch.images, "audio": batch.audio}
    odd = [sense for sense, values in inputs.items() if not torch.isfinite(values).all()]
    why = f"the batch's {' and '.join(odd)} holds NaN or infinity" if odd else "take a lower learning rate"
    names = ", ".join(wrong) or "their sum"
    raise TrainingError(f"{course.words}, step {step + 1}: no finite number is the loss of {names}: {why}")


def losses_text(losses: dict[str, float]) -> str:
    """The two that tell most."""
    return ", ".join(f"{name} {value:.2f}" for name, value in losses.items() if name in ("total", "fused"))


def parameter_groups(
    learned: nn.Module, backbones: nn.Module, rate: float, settings: TrainingSettings
) -> list[dict[str, Any]]:
    """What learns: weight decay for matrices only; pretrained backbones at their share of the rate."""
    inside = set(backbones.parameters())
    own = [one for one in learned.parameters() if one not in inside]
    theirs = [one for one in learned.parameters() if one in inside and one.requires_grad]
    groups = []
    for parameters, its_rate in ((own, rate), (theirs, rate * settings.backbone_rate)):
        matrices, vectors = [one for one in parameters if one.ndim > 1], [one for one in parameters if one.ndim <= 1]
        groups.append({"params": matrices, "lr": its_rate, "weight_decay": settings.weight_decay})
        groups.append({"params": vectors, "lr": its_rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def smooth(recent: dict[str, float], losses: dict[str, float], share: float = 0.02) -> dict[str, float]:
    """A running mean of each loss."""
    return {name: (1 - share) * recent.get(name, value) + share * value for name, value in losses.items()}


def batch_losses(network: FusionNetwork, batch: Batch) -> dict[str, Tensor]:
    """Every loss of one batch, unweighted; names as in `LossWeights`. An encoder that cannot say where it looked has no
    place loss."""
    count, classes = len(batch.labels), len(batch.allowed)
    image, looked_at, audio, text, prompts = encode(network, batch)
    tokens = [image.tokens[:count], audio.tokens, text.tokens]
    embeddings = [image.embedding[:count], audio.embedding, text.embedding]
    with torch.autocast("cpu", torch.bfloat16):
        fused = network.fusion.logits(tokens, embeddings, batch.present, prompts)
        alone = network.fusion.evidence(torch.stack(embeddings, dim=1)) @ prompts.T
    extra = network.fusion.log_scale[0].exp() * image.embedding[count:].float() @ prompts.float().T
    own = [cross_entropy(alone[:, m, :classes], batch.sense_labels[:, m], batch.allowed) for m in range(alone.shape[1])]
    pairs = list(combinations(range(alone.shape[1]), 2))
    return {
        "fused": cross_entropy(fused.logits[:, :classes], batch.labels, batch.allowed),
        "sense": add_up(own),
        "attribute": attribute_losses(torch.cat([alone, fused.logits.unsqueeze(1)], dim=1), extra, batch),
        "info_nce": add_up(pair_loss(info_nce, embeddings, batch, i, j) for i, j in pairs),
        "triplet": add_up(pair_loss(triplet, embeddings, batch, i, j) for i, j in pairs),
        **({} if looked_at is None else {"place": place_loss(looked_at, batch.places)}),
        "agreement": agreement_loss(fused.agreement_logit, batch.agree)
        + shuffled_agreement(network, tokens, embeddings, prompts, batch),
    }


def add_up(losses: Iterable[Tensor]) -> Tensor:
    """In their order; of one at least."""
    first, *others = losses
    return sum(others, first)


def encode(network: FusionNetwork, batch: Batch) -> tuple[Encoded, Tensor | None, Encoded, Encoded, Tensor]:
    """Image, where it looked (if its encoder says), audio, text, and the prompts' embeddings; the fixed front ends stay
    in float32."""
    with torch.no_grad():
        pictures = network.image.training_features(batch.images).contiguous(memory_format=torch.channels_last)
        sounds = network.audio.features(batch.audio)
    with torch.autocast("cpu", torch.bfloat16):
        image, looked_at = network.image.encode(pictures)
        audio = network.audio.encode(sounds)
        return image, looked_at, audio, network.text(batch.text_ids), network.text(batch.prompt_ids).embedding


def shuffled_agreement(
    network: FusionNetwork, tokens: list[Tensor], embeddings: list[Tensor], prompts: Tensor, batch: Batch
) -> Tensor:
    """The agreement loss once more, of each image with the sound of the example before: contradictions in plenty."""
    present = torch.tensor([[True, True, False]]).expand(len(batch.labels), -1)
    shifted = [tokens[0], tokens[1].roll(1, 0), tokens[2]], [embeddings[0], embeddings[1].roll(1, 0), embeddings[2]]
    with torch.autocast("cpu", torch.bfloat16):
        logit = network.fusion.logits(*shifted, present, prompts).agreement_logit
    return agreement_loss(logit, batch.agree_shifted)


def pair_loss(loss: Callable[..., Tensor], embeddings: list[Tensor], batch: Batch, i: int, j: int) -> Tensor:
    return loss(embeddings[i], embeddings[j], batch.sense_labels[:, i], batch.sense_labels[:, j])


def attribute_losses(logits: Tensor, extra: Tensor, batch: Batch) -> Tensor:
    """Each attribute apart: of each sense and of the fused result (n, 4, prompts), and of the extra pictures (extra,
    prompts); 0 where the classes have no attributes."""
    classes, sizes = len(batch.allowed), [size - 1 for size in batch.combinations.shape]
    if not sizes:
        return logits.new_zeros(())
    total = attribute_loss(extra[:, classes:].split(sizes, dim=1), batch.extra_attributes, batch.combinations)
    for column in range(logits.shape[1]):
        one = logits[:, column, classes:].split(sizes, dim=1)
        total = total + attribute_loss(one, batch.attributes[:, column], batch.combinations)
    return total
