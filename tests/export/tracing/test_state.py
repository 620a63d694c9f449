"""A module that keeps something from one call to the next is refused, however little; one that does not, passes."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable
from functools import lru_cache

import networks
import numpy as np
import pytest
import torch
from fuzzing import is_one_line
from torch import Tensor, nn

from edgefuse.export.errors import ExportError
from edgefuse.export.tracing.graphs import graph_sources

EVER_CALLED = [0]


class Keeping(networks.Feel):
    """`begin(module)` makes what it keeps, `keep(module, mean of the batch)` changes it and gives a number to add."""

    def __init__(self, begin: Callable[[nn.Module], object], keep: Callable[[nn.Module, Tensor], object]) -> None:
        super().__init__()
        begin(self)
        self.keep = keep

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        tokens, embedding = super().forward(series)
        added = self.keep(self, series.mean())
        return tokens, embedding if added is None else embedding + added


def with_buffer(momentum: float) -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> Tensor:
        module.mean += momentum * (mean - module.mean)
        return module.mean

    return Keeping(lambda module: module.register_buffer("mean", torch.ones(1)), keep)


def with_number() -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> float:
        module.level = 0.999999 * module.level + 1e-9
        return module.level

    return Keeping(lambda module: setattr(module, "level", 1.0), keep)


def with_frames(kept: Callable[[], list | deque]) -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> Tensor:
        module.past.append(mean.clone())
        return 1e-7 * torch.stack(list(module.past)).mean()

    return Keeping(lambda module: setattr(module, "past", kept()), keep)


def with_module_within() -> Keeping:
    def begin(module: nn.Module) -> None:
        module.deep = nn.Sequential(nn.Sequential(nn.BatchNorm1d(1, momentum=1e-6)))

    def keep(module: nn.Module, mean: Tensor) -> None:
        module.deep[0][0].train()(torch.randn(4, 1, generator=torch.Generator().manual_seed(0)) + mean)
        module.deep[0][0].eval()

    return Keeping(begin, keep)


def with_switch(calls: int) -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> float:
        module.calls += 1
        return float(module.calls > calls)

    return Keeping(lambda module: setattr(module, "calls", 0), keep)


class Tracker:
    """An object that is no module."""

    def __init__(self) -> None:
        self.best = torch.zeros(())


def with_object() -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> Tensor:
        module.tracker.best = torch.maximum(module.tracker.best, mean + module.tracker.best + 1e-6)
        return 0 * module.tracker.best

    return Keeping(lambda module: setattr(module, "tracker", Tracker()), keep)


def with_closure() -> Keeping:
    past: list[float] = []

    def keep(module: nn.Module, mean: Tensor) -> float:
        past.append(float(mean))
        return 1e-8 * len(past)

    return Keeping(lambda module: None, keep)


def with_weights() -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> None:
        module.project.weight.data.mul_(1 + 1e-6)

    return Keeping(lambda module: None, keep)


def with_array() -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> None:
        module.seen["means"][0] += 1e-12

    return Keeping(lambda module: setattr(module, "seen", {"means": np.ones(3)}), keep)


def with_counter() -> Keeping:
    return Keeping(
        lambda module: setattr(module, "numbers", itertools.count()), lambda module, mean: 1e-9 * next(module.numbers)
    )


def with_own_random_numbers() -> Keeping:
    return Keeping(
        lambda module: setattr(module, "dice", random.Random(0)), lambda module, mean: 1e-9 * module.dice.random()
    )


def with_global() -> Keeping:
    def keep(module: nn.Module, mean: Tensor) -> float:
        EVER_CALLED[0] += 1
        return 1e-3 * EVER_CALLED[0]

    return Keeping(lambda module: None, keep)


def with_peak() -> Keeping:
    """It changes with a larger sample only, and all that are tried are known after a while."""

    def keep(module: nn.Module, mean: Tensor) -> Tensor:
        module.peak = torch.maximum(module.peak, mean)
        return module.peak

    return Keeping(lambda module: module.register_buffer("peak", torch.tensor(-1e9)), keep)


def with_random_numbers() -> Keeping:
    return Keeping(lambda module: None, lambda module, mean: 1e-3 * torch.rand(1))


KEEPING = {
    "its buffer mean changes": lambda: with_buffer(1e-6),
    "its attribute level changes": with_number,
    "its attribute past changes": lambda: with_frames(list),
    "its attribute past[0] changes": lambda: with_frames(lambda: deque(maxlen=2)),
    "its buffer deep.0.0.running_mean changes": with_module_within,
    "its attribute calls changes": lambda: with_switch(1_000_000),
    "its attribute tracker.best changes": with_object,
    "its attribute keep changes": with_closure,
    "its parameter project.weight changes": with_weights,
    "its attribute seen['means'] changes": with_array,
    "its attribute numbers changes": with_counter,
    "its attribute dice changes": with_own_random_numbers,
    "gives other embedding when it is called again with the same samples: keeps something": with_global,
    "gives other embedding when it is called again with the same samples: keeps something from": with_peak,
    "gives other embedding when it is called again with the same samples: it draws random numbers": with_random_numbers,
}


@pytest.mark.parametrize("said", KEEPING)
def test_an_encoder_that_keeps_something_is_refused(said):
    with pytest.raises(ExportError) as refusal:
        graph_sources(networks.split_spec(feel=KEEPING[said]()))
    assert is_one_line(refusal.value)
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("the encoder of imu (Keeping) ")


class Smoothed(networks.Both):
    """The fusion as it was written for a stream: each result is mixed with the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def forward(self, tokens: list[Tensor], embeddings: list[Tensor]) -> Tensor:
        scores = super().forward(tokens, embeddings)
        if self.last is not None and self.last.shape == scores.shape:
            scores = scores + 1e-5 * (self.last - scores)
        self.last = scores
        return scores


def test_a_fusion_and_a_whole_network_that_keep_something_are_refused():
    with pytest.raises(ExportError, match=r"^the fusion \(Smoothed\) keeps something .*: its attribute last changes"):
        graph_sources(networks.split_spec(both=Smoothed()))
    whole = networks.Whole()
    whole.both = Smoothed()
    with pytest.raises(
        ExportError, match=r"^the network \(Whole\) keeps something .*: its attribute both.last changes"
    ):
        graph_sources(networks.whole_spec(whole))


def with_table() -> Keeping:
    """What is made at the first call and only read afterwards is no state."""

    def keep(module: nn.Module, mean: Tensor) -> Tensor:
        if module.table is None:
            module.table = torch.arange(8.0).sin()
        return module.table

    return Keeping(lambda module: setattr(module, "table", None), keep)


def with_cache() -> Keeping:
    @lru_cache
    def sines(count: int) -> Tensor:
        return torch.arange(float(count)).sin()

    return Keeping(lambda module: None, lambda module, mean: sines(8))


def in_a_circle() -> Keeping:
    def begin(module: nn.Module) -> None:
        module.tracker = Tracker()
        module.tracker.owner = [module.tracker, module]

    return Keeping(begin, lambda module, mean: module.tracker.best)


@pytest.mark.parametrize("made", [with_table, with_cache, in_a_circle, networks.Feel])
def test_a_module_that_keeps_nothing_passes(made):
    assert len(graph_sources(networks.split_spec(feel=made()))) == 3


def test_normalisation_and_dropout_in_eval_mode_pass():
    glance = networks.Glance()
    glance.convolution = nn.Sequential(glance.convolution, nn.BatchNorm2d(8), nn.Dropout(0.5), nn.GroupNorm(2, 8))
    assert len(graph_sources(networks.split_spec(glance=glance))) == 3


def test_the_users_settings_are_as_before():
    assert not torch.are_deterministic_algorithms_enabled()
    graph_sources(networks.split_spec())
    assert not torch.are_deterministic_algorithms_enabled()
