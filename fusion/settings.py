"""What a person can set about training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_EPOCHS = 100_000
LARGEST_SEED = 2**63 - 1
"""PyTorch takes no larger one."""


class LossWeights(BaseModel):
    """How much each loss counts; 0 leaves it out."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    fused: float = Field(1.0, ge=0, le=1000, description="cross-entropy of the fused result")
    sense: float = Field(1.0, ge=0, le=1000, description="cross-entropy of each sense alone")
    attribute: float = Field(0.5, ge=0, le=1000, description="each attribute of the class apart, fused and per sense")
    info_nce: float = Field(0.3, ge=0, le=1000, description="mutual information between the senses (InfoNCE)")
    triplet: float = Field(0.3, ge=0, le=1000, description="triplet loss between the senses")
    place: float = Field(0.1, ge=0, le=1000, description="the image attention looks where the object is")
    agreement: float = Field(0.4, ge=0, le=1000, description="matched or contradicting")


class Dropout(BaseModel):
    """Chance that a sense is taken away from the fusion in a training example (one at least is left)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    image: float = Field(0.2, ge=0, lt=1)
    audio: float = Field(0.2, ge=0, lt=1)
    text: float = Field(0.55, ge=0, lt=1)


class TrainingSettings(BaseModel):
    """The defaults train the shipped checkpoint in under 30 minutes on two CPU cores."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(11, ge=1, le=MOST_EPOCHS, description="of `steps_per_epoch` steps each")
    steps_per_epoch: int = Field(250, ge=1, le=1_000_000)
    batch: int = Field(64, ge=8, le=4096, description="examples with all senses per step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="peak of the one-cycle schedule")
    weight_decay: float = Field(0.03, ge=0, le=1)
    average: float = Field(0.998, ge=0, lt=1, description="decay of the exponential moving average of the weights")
    fusion_steps: int = Field(500, ge=1, le=1_000_000, description="of the fusion alone, after the epochs")
    fusion_rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate of these steps")
    fusion_average: float = Field(0.99, ge=0, lt=1, description="decay of their moving average")
    fine_tune: bool = Field(False, description="pretrained backbones learn too; else they stay as they are")
    backbone_rate: float = Field(0.05, gt=0, le=1, description="their learning rate, as a share of the others'")
    audio_features: Literal["log_mel", "mfcc"] = "log_mel"
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    threads: int = Field(2, ge=1, le=256)
    losses: LossWeights = LossWeights()
    dropout: Dropout = Dropout()
