"""`edgefuse train`: the reference network, trained and measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from edgefuse.terminal import open_console, progress_bar

_SHORT_SPIN = "20000"  # of torch's threads between two operators: longer starves others, none costs a third


def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="directory of the checkpoint and its report")],
    data: Annotated[Path | None, typer.Option(help="folder of yours: <label>/<stem>.png|jpg and <stem>.wav")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="rounds of training, instead of the usual")
    ] = None,
    features: Annotated[Literal["log_mel", "mfcc"], typer.Option(help="of the built-in audio encoder")] = "log_mel",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="of chance: the same one gives the same network")] = 0,
    image_encoder: Annotated[Path | None, typer.Option(help="directory of a Hugging Face ResNet or ViT")] = None,
    audio_encoder: Annotated[Path | None, typer.Option(help="of a Wav2Vec2, an AST or a Whisper")] = None,
    text_encoder: Annotated[Path | None, typer.Option(help="of a BERT and its tokenizer.json")] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze/--fine-tune", help="pretrained encoders stay as they are, or learn slowly too")
    ] = True,
) -> None:
    """Train the reference network on the built-in tabletop task, or on a folder of yours; then measure it.

    With an encoder's directory, that sense starts from it: transfer learning.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", _SHORT_SPIN)
    from edgefuse.fusion.folder_task import FolderTask
    from edgefuse.fusion.measurement import measure_checkpoint
    from edgefuse.fusion.settings import TrainingSettings
    from edgefuse.fusion.training import train as train_network
    from edgefuse.fusion.transfer import EncoderDirectories
    from edgefuse.runtime.files.whole_file import check_directory_writable
    from edgefuse.tasks import DEFAULT

    check_directory_writable(output)
    encoders = EncoderDirectories(image_encoder, audio_encoder, text_encoder)
    settings = TrainingSettings(audio_features=features, seed=seed, fine_tune=not freeze)
    if epochs is not None:
        settings = settings.model_copy(update={"epochs": epochs})
    console = open_console()
    with progress_bar(console) as progress:
        task = DEFAULT if data is None else FolderTask(data)
        trained = train_network(task, settings, output, progress, encoders)
    console.print(
        f"{trained.checkpoint}, trained in {trained.seconds / 60:.1f} minutes; its curves: {output}/tensorboard"
    )
    for senses, share in trained.accuracy.items():
        console.print(f"validation accuracy, {senses}: {share:.1%}")
    if data is None:
        with progress_bar(console) as progress:
            report = measure_checkpoint(trained.checkpoint, DEFAULT, progress)
        console.print(report.table())
