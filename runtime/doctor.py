"""The doctor: what this machine has, and what is missing for what.

What must work is tried as `edgefuse run` does it, so that the two agree.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgefuse.runtime.engines.processor import processor_name
from edgefuse.runtime.errors import EdgefuseError, EngineError, StreamError, address_shown, in_one_line
from edgefuse.runtime.extras import how_to_install, installed_version
from edgefuse.runtime.streams.sound_file import libsndfile_version

_CLIPS = ("numpy", "cv2", "soundfile", "soxr", "tokenizers", "pydantic", "yaml")
_RECORDINGS = ("mcap", "mcap_ros2", "zstandard")
_EXPORT = ("torch", "onnx", "onnxscript", "safetensors", "scikit-learn", "tensorboard")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `state` is "missing" where something optional is not there, "wrong" where it must be."""

    subject: str
    state: Literal["ok", "missing", "wrong"]
    detail: str


def examine() -> list[Finding]:
    """Look at the machine; opens no device. Graphs that are tried are kept in the cache, as `edgefuse run` does."""
    return [
        _machine(),
        _engine(),
        _graph_cache(),
        *_backends(),
        _imported("run", _CLIPS),
        _imported("run a recording", _RECORDINGS),
        _sound_files(),
        _default_bundle(),
        _packages("train, export, verify", _EXPORT, extra="export"),
        _packages("engines ahead of time", ("tensorrt-rtx",), extra="rtx"),
        _packages("timeline picture", ("matplotlib",), extra="timeline"),
        _packages("viewer", ("rerun-sdk",), extra="viz"),
        _ros(),
        *_devices(),
    ]


def measure(
    camera: str | None, microphone: str | None, channel: int | None = None, insecure: bool = False
) -> list[Finding]:
    """Watch a camera and listen to a microphone for 3 s; a device that cannot be opened is a finding, not an error."""
    findings = []
    if camera is not None:
        findings.append(_measured(f"camera {address_shown(camera)}", lambda: _camera(camera, insecure)))
    if microphone is not None:
        findings.append(_measured(f"microphone {microphone}", lambda: _microphone(microphone, channel)))
    return findings


def find_program(subject: str, name: str, how: str) -> Finding:
    """Whether a program is here, for what, and how to install it otherwise."""
    path = shutil.which(name)
    return Finding(subject, "ok", path) if path else Finding(subject, "missing", f"{name} not installed: {how}")


def _machine() -> Finding:
    system = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return Finding("machine", "ok", f"{processor_name()}: {system}")


def _engine() -> Finding:
    from edgefuse.runtime.engines.engine_onnxruntime_rtx import PACKAGE
    from edgefuse.runtime.engines.onnxruntime_package import check_one_package, installed_packages, load_onnxruntime

    try:
        check_one_package()
        package = load_onnxruntime()
    except EngineError as error:
        return Finding("engine", "wrong", str(error))
    name = next(iter(installed_packages()), "onnxruntime")
    providers = ", ".join(package.get_available_providers())
    beside = f"; beside it {PACKAGE} {installed_version(PACKAGE)}" if installed_version(PACKAGE) else ""
    return Finding("engine", "ok", f"{name} {package.__version__}: {providers}{beside}")


def _backends() -> list[Finding]:
    """What else than ONNX Runtime on the CPU runs graphs. CUDA is tried out."""
    from edgefuse.runtime.engines.engine_file import check_installed

    return [
        _usable("openvino", _openvino),
        _usable("cuda", _cuda),
        _usable("tensorrt, by onnxruntime", _tensorrt),
        _usable("engines of tensorrt", lambda: str(check_installed("tensorrt"))),
        _usable("engines of tensorrt-rtx", lambda: str(check_installed("tensorrt-rtx"))),
    ]


def _usable(subject: str, detail: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", detail())
    except Exception as error:  # of whatever library: what is broken is as good as missing
        return Finding(subject, "missing", in_one_line(error))


def _openvino() -> str:
    from edgefuse.runtime import DEFAULT_BUNDLE, Bundle
    from edgefuse.runtime.engines.backends import open_engine
    from edgefuse.runtime.engines.engine_openvino import fast_in_bf16, openvino_version

    open_engine(Bundle.open(DEFAULT_BUNDLE), "text", "openvino")
    return f"openvino {openvino_version()}, {'bfloat16 and ' if fast_in_bf16() else ''}float32"


def _cuda() -> str:
    from edgefuse.runtime import DEFAULT_BUNDLE
    from edgefuse.runtime.engines.engine_onnxruntime_gpu import CUDA, check_provider, open_on_cuda

    gpu = check_provider(CUDA)
    open_on_cuda(DEFAULT_BUNDLE / "text.onnx")
    return str(gpu)


def _tensorrt() -> str:
    """Not tried out: it would build an engine first."""
    from edgefuse.runtime.engines.engine_onnxruntime_gpu import TENSORRT, check_provider
    from edgefuse.runtime.engines.engine_onnxruntime_rtx import PACKAGE, check_rtx_provider, is_tensorrt_here

    return f"{check_rtx_provider()}, by {PACKAGE}" if is_tensorrt_here() else str(check_provider(TENSORRT))


def _graph_cache() -> Finding:
    from edgefuse.runtime.engines.graph_cache import GraphCache, default_directory

    directory = default_directory()
    if directory is None:
        return Finding("graph cache", "missing", "no home directory: set XDG_CACHE_HOME, and bundles load faster")
    if not os.access(_nearest(directory), os.W_OK | os.X_OK):
        return Finding("graph cache", "missing", f"{directory} cannot be written: bundles load faster where it can")
    entries, size = GraphCache(directory).size()
    return Finding("graph cache", "ok", f"{directory}: {entries} graphs, {size / 1e6:.1f} MB")


def _nearest(directory: Path) -> Path:
    """What is there of it."""
    return next(path for path in (directory, *directory.parents) if path.exists())


def _imported(subject: str, modules: tuple[str, ...]) -> Finding:
    """Imports them: any build of OpenCV will do, also one that pip does not know, and one that is broken will not."""
    found = []
    for name in modules:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # a library that does not find another raises what it likes
            return Finding(subject, "wrong", f"{name} cannot be imported: {error}; {how_to_install()}")
        found.append(f"{name} {getattr(module, '__version__', '')}".strip())
    return Finding(subject, "ok", ", ".join(found))


def _default_bundle() -> Finding:
    """It is opened, and its golden vectors are replayed."""
    try:
        from edgefuse.runtime import DEFAULT_BUNDLE, Bundle, Perceiver

        backends = Perceiver(Bundle.open(DEFAULT_BUNDLE)).backends
    except Exception as error:  # the doctor's border: what ends a run is a finding
        return Finding("default bundle", "wrong", in_one_line(error))
    return Finding("default bundle", "ok", f"runs on {', '.join(sorted(set(backends.values())))}")


def _sound_files() -> Finding:
    """As `run` opens them: the package may be there without its library."""
    try:
        return Finding("sound files", "ok", libsndfile_version())
    except StreamError as error:
        return Finding("sound files", "wrong", f"{error}; {how_to_install()}")


def _packages(subject: str, names: tuple[str, ...], extra: str | None = None) -> Finding:
    versions = {name: installed_version(name) for name in names}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        lacking = f"{', '.join(missing)} not installed: {how_to_install(extra)}"
        return Finding(subject, "missing", lacking)
    return Finding(subject, "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _ros() -> Finding:
    try:
        importlib.import_module("rclpy")
    except ModuleNotFoundError as error:
        return Finding("ROS 2", "missing", f"{error.name} not found: source a ROS 2 installation")
    except Exception as error:
        return Finding("ROS 2", "missing", f"rclpy cannot be imported: {in_one_line(error)}")
    return Finding("ROS 2", "ok", f"rclpy, distribution {os.environ.get('ROS_DISTRO', 'not named')}")


def _devices() -> list[Finding]:
    try:
        from edgefuse.runtime.streams.devices import find_devices
    except Exception as error:
        return [Finding("devices", "missing", f"cannot be looked for: {in_one_line(error)}")]
    found = find_devices()
    cameras = [Finding("camera", "ok", str(camera)) for camera in found.cameras]
    microphones = [Finding("microphone", "ok", str(microphone)) for microphone in found.microphones]
    why = found.microphones_missing or "none found"
    return [
        *(cameras or [Finding("camera", "missing", "none found")]),
        *(microphones or [Finding("microphone", "missing", why)]),
    ]


def _measured(subject: str, measurement: Callable[[], tuple[str, str | None]]) -> Finding:
    try:
        detail, wrong = measurement()
    except (EdgefuseError, ImportError) as error:
        return Finding(subject, "wrong", in_one_line(error))
    return Finding(subject, "wrong" if wrong else "ok", f"{wrong}; {detail}" if wrong else detail)


def _camera(device: str, insecure: bool) -> tuple[str, str | None]:
    from edgefuse.runtime.streams.camera import Camera
    from edgefuse.runtime.streams.devices import measure_camera

    seen = measure_camera(Camera(device, insecure=insecure))
    if not seen.rate_hz:
        return "it was watched for 3 s", seen.wrong
    size = f"{seen.format.width} x {seen.format.height}"
    detail = (
        f"{size} at {seen.rate_hz:.1f} Hz, jitter {seen.jitter_ms:.1f} ms, longest gap {seen.longest_gap_ms:.0f} ms"
    )
    return detail, seen.wrong


def _microphone(device: str, channel: int | None) -> tuple[str, str | None]:
    from edgefuse.runtime.streams.devices import measure_microphone
    from edgefuse.runtime.streams.microphone import Microphone

    heard = measure_microphone(Microphone(device, channel=channel))
    detail = (
        f"{heard.device_rate_hz} Hz, clock off by {heard.drift_ppm:.0f} ppm, blocks jitter {heard.jitter_ms:.1f} ms, "
        f"level {heard.rms_dbfs:.0f} dBFS, peak {heard.peak_dbfs:.0f} dBFS"
    )
    return detail, heard.wrong
