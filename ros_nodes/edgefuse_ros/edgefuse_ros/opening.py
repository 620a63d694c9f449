"""A perceiver as the settings want it."""

from __future__ import annotations

from collections.abc import Callable

from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, Perceiver
from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.corrections.corrections import read_corrections
from edgefuse.runtime.schedule import FuseOn
from edgefuse_ros.settings import PerceptionSettings


def open_perceiver(settings: PerceptionSettings, now_ns: Callable[[], int]) -> Perceiver:
    """Load the bundle and name its classes; raises BundleError, EngineError, PromptError, CalibrationError."""
    bundle = Bundle.open(settings.bundle or DEFAULT_BUNDLE, settings.require_signature or None)
    offsets_ms = {sense.name: getattr(settings.offset_ms, sense.kind) for sense in bundle.manifest.modalities}
    perceiver = Perceiver(
        bundle,
        settings.prompts,
        settings.senses,
        fuse_on(settings),
        offsets_ms,
        now_ns,
        settings.backend,
        confidence=settings.confidence or "bundle",
        corrections=read_corrections(settings.undistort, settings.sync, bundle.manifest),
        future_tolerance_ms=settings.future_tolerance_ms,
    )
    perceiver.set_max_age_ms(max_age_ms(settings, bundle.manifest))
    return perceiver


def fuse_on(settings: PerceptionSettings) -> FuseOn:
    """When a percept is due."""
    return settings.fusion_rate_hz or settings.fuse_on


def max_age_ms(settings: PerceptionSettings, manifest: Manifest) -> dict[str, float]:
    """The limits that are set, by sense."""
    limits = {sense.name: getattr(settings.max_age_ms, sense.kind) for sense in manifest.modalities}
    return {sense: limit_ms for sense, limit_ms in limits.items() if limit_ms}
