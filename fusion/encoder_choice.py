"""Which encoder a sense has: the numbers from which it is built, without its weights."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Means = tuple[float, float, float]
Deviation = Annotated[float, Field(gt=0)]
Edge = Annotated[int, Field(ge=16, le=4096)]
"""Rows or columns of a picture."""


class EncoderChoice(BaseModel):
    """What every choice has in common: strict, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Compact(EncoderChoice):
    """The small encoder of encoders.py, trained from the start."""

    kind: Literal["compact"] = "compact"


class DeepSpeech(EncoderChoice):
    """The encoder of deep_speech.py: MFCC, dense layers, a recurrent layer."""

    kind: Literal["deep_speech"] = "deep_speech"
    cepstra: int = Field(26, ge=1, le=512, description="cepstral coefficients of a frame, from the lowest")
    context: int = Field(9, ge=0, le=100, description="frames on either side that the first layer sees")
    width: int = Field(1024, ge=8, le=8192, description="units of every layer")


class PretrainedImage(EncoderChoice):
    """A Hugging Face image model; `model` is its config.json, from which `transformers` builds it."""

    kind: Literal["pretrained"] = "pretrained"
    architecture: Literal["resnet", "vit"]
    model: dict[str, JsonValue]
    size: tuple[Edge, Edge] = Field(description="rows, columns that it works on")
    mean: Means = Field(description="of red, green, blue in 0..1")
    deviation: tuple[Deviation, Deviation, Deviation]


class PretrainedAudio(EncoderChoice):
    """A Hugging Face audio model. `normalized`: its PCM (wav2vec2) or log-mel (AST) is brought to mean 0: by the
    window's own mean and deviation, or by `mean` and twice `deviation`, which AST alone uses."""

    kind: Literal["pretrained"] = "pretrained"
    architecture: Literal["wav2vec2", "audio-spectrogram-transformer", "whisper"]
    model: dict[str, JsonValue]
    normalized: bool = True
    mean: float = -4.2677393
    deviation: Deviation = 4.5689974


class PretrainedText(EncoderChoice):
    """A Hugging Face text model; its token ids are those of the checkpoint's tokenizer."""

    kind: Literal["pretrained"] = "pretrained"
    architecture: Literal["bert"]
    model: dict[str, JsonValue]


Pretrained = PretrainedImage | PretrainedAudio | PretrainedText
ImageChoice = Annotated[Compact | PretrainedImage, Field(discriminator="kind")]
AudioChoice = Annotated[Compact | DeepSpeech | PretrainedAudio, Field(discriminator="kind")]
TextChoice = Annotated[Compact | PretrainedText, Field(discriminator="kind")]
