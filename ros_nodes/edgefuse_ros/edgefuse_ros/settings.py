"""The settings of the nodes; ROS parameters are declared from these models, so that a setting exists once."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgefuse.runtime.engines.engine import Backend
from edgefuse.runtime.heads.drift import DRIFT_WARN


def _live(default: Any, description: str, **limits: Any) -> Any:
    """A setting that may change at any time, also while the node is active."""
    return Field(default, description=description, json_schema_extra={"live": True}, **limits)


class Settings(BaseModel):
    """What is common to all: unknown names and values out of range are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MaxAge(Settings):
    """From what age on evidence is masked out [ms], by kind of sense; 0: what the bundle says."""

    image: float = _live(0.0, "older frames are masked out [ms]; 0: as the bundle says", ge=0.0, le=60_000.0)
    audio: float = _live(0.0, "older sound is masked out [ms]; 0: as the bundle says", ge=0.0, le=60_000.0)
    text: float = _live(0.0, "older text is masked out [ms]; 0: as the bundle says", ge=0.0, le=600_000.0)
    signal: float = _live(0.0, "older signals are masked out [ms]; 0: as the bundle says", ge=0.0, le=60_000.0)


class Offset(Settings):
    """By how much a sense's stamps are late compared with the others' [ms], as `edgefuse calibrate sync` measures."""

    image: float = Field(0.0, description="by how much frames are stamped late [ms]", ge=-1000.0, le=1000.0)
    audio: float = Field(0.0, description="by how much sound is stamped late [ms]", ge=-1000.0, le=1000.0)
    text: float = Field(0.0, description="by how much text is stamped late [ms]", ge=-1000.0, le=1000.0)
    signal: float = Field(0.0, description="by how much signals are stamped late [ms]", ge=-1000.0, le=1000.0)


class Limits(Settings):
    """From where on /diagnostics says WARN or ERROR."""

    expected: list[str] = _live(["image", "audio"], "senses whose silence is a fault; ['']: none")
    silent_warn_s: float = _live(1.0, "WARN when an expected sense has been silent for so long [s]", ge=0.0, le=3600.0)
    silent_error_s: float = _live(3.0, "ERROR when it has been silent for so long [s]", ge=0.0, le=3600.0)
    refused_warn: float = _live(0.1, "WARN when such a share of a sense's messages was refused lately", ge=0.0, le=1.0)
    refused_error: float = _live(0.5, "ERROR when such a share was refused", ge=0.0, le=1.0)
    lost_warn: float = _live(0.05, "WARN when such a share of a sense's messages got lost on the way", ge=0.0, le=1.0)
    stamp_age_warn_s: float = _live(
        1.0, "WARN when a sense's messages are stamped so long before they come [s]", ge=0.0, le=1e9
    )
    latency_warn_ms: float = _live(150.0, "WARN when the latency's p99 is above [ms]", ge=0.0, le=60_000.0)
    latency_error_ms: float = _live(500.0, "ERROR when the latency's p99 is above [ms]", ge=0.0, le=60_000.0)
    drift_warn: float = _live(
        DRIFT_WARN, "WARN when a sense is so unlike what the bundle was made for [sd]", ge=0.0, le=1e6
    )
    rate_warn_hz: float = _live(1.0, "WARN when percepts come less often [Hz]", ge=0.0, le=1000.0)
    temperature_warn_c: float = _live(85.0, "WARN when the CPU is hotter [degrees Celsius]", ge=0.0, le=150.0)


class PerceptionSettings(Settings):
    """What the perceiver of a node is told."""

    bundle: str = _live("", "directory made by `edgefuse export`; empty: the one that ships with edgefuse")
    backend: Backend = _live("auto", "what runs the graphs; auto: the fastest that works here")
    require_signature: str = Field(
        "", description="public key (PEM) of who must have signed the bundle with `edgefuse sign`; empty: nobody"
    )
    prompts: list[str] = _live([], "texts that name the classes; ['']: the bundle's own labels")
    senses: list[str] = Field([], description="the bundle's senses to use; ['']: all")
    fuse_on: Literal["lead", "any"] = _live("lead", "a percept on each new evidence of the first sense, or of any")
    fusion_rate_hz: float = _live(0.0, "percepts per second at most [Hz]; 0: as fuse_on says", ge=0.0, le=1000.0)
    min_confidence: float = _live(0.0, "percepts less sure are not published, only counted", ge=0.0, le=1.0)
    frame_id: str = Field("", description="frame_id of the percepts; empty: that of the images")
    signals: list[str] = Field(
        [],
        description="senses of kind signal that come as other messages: 'SENSE PACKAGE/msg/TYPE FIELD FIELD ...', such "
        "as 'touch geometry_msgs/msg/WrenchStamped wrench.force.x wrench.force.y'; on the topic SENSE",
    )
    image_transport: Literal["raw", "compressed"] = Field(
        "raw", description="raw: images on the topic SENSE; compressed: JPEG or PNG on SENSE/compressed"
    )
    image_reliability: Literal["best_effort", "reliable"] = Field(
        "best_effort", description="what is asked of the driver: best_effort gets along with all; reliable loses none"
    )
    audio_type: Literal[
        "edgefuse_msgs/msg/AudioChunk",
        "audio_common_msgs/msg/AudioDataStamped",
        "audio_common_msgs/msg/AudioData",
        "audio_common_msgs/msg/AudioStamped",
    ] = Field(
        "edgefuse_msgs/msg/AudioChunk",
        description="type of the messages of sound; AudioData and AudioDataStamped also need the driver's "
        "audio_common_msgs/msg/AudioInfo on SENSE_info",
    )
    audio_channel: int = Field(
        -1, description="which channel of the messages of sound is heard, counted from 0; -1: their mean", ge=-1, le=255
    )
    undistort: str = Field("", description="camera_info (path or file://) that frames are straightened by; empty: none")
    confidence: str = _live("", "file of `edgefuse calibrate confidence`; empty: the bundle's own")
    future_tolerance_ms: float = Field(
        50.0,
        description="what is stamped further ahead of this computer's clock is refused [ms]",
        ge=0.0,
        le=10_000.0,
    )
    sync: str = Field("", description="sync.json that stamps are set right by, beside offset_ms; empty: none")
    autostart: bool = Field(False, description="configure and activate at the start, without being told")
    max_age_ms: MaxAge = MaxAge()
    offset_ms: Offset = Offset()
    limits: Limits = Limits()


class ClipSettings(Settings):
    """A file played instead of a device."""

    clip: str = Field("", description="play this file instead of a device; empty: the device")
    clip_start_s: float = Field(
        0.0, description="ROS time at which the file begins [s], so that several nodes agree; 0: at once", ge=0.0
    )


class CameraSettings(ClipSettings):
    """A camera; what is 0 or empty is left to the driver."""

    device: str = Field("0", description="index, /dev/v4l/by-id/..., RTSP or HTTP URL, or GStreamer pipeline")
    insecure: bool = Field(
        False, description="take a device by https or rtsps also where its certificate proves nothing"
    )
    width: int = Field(0, description="[pixels]; 0: the driver's choice", ge=0, le=16_384)
    height: int = Field(0, description="[pixels]; 0: the driver's choice", ge=0, le=16_384)
    rate_hz: float = Field(0.0, description="frames per second [Hz]; 0: the driver's choice", ge=0.0, le=1000.0)
    pixel_format: str = Field("", description="four letters such as MJPG or YUYV; empty: the driver's choice")
    frame_id: str = Field("camera_optical_frame", description="frame_id of the images: x right, y down, z ahead")


class CameraNodeSettings(CameraSettings):
    """A camera whose frames are published."""

    camera_info_url: str = Field(
        "", description="file of the lens (path or file://), published; set_camera_info writes it; empty: neither"
    )


class MicrophoneSettings(ClipSettings):
    """A microphone."""

    device: str = Field("", description="index, name or part of a name; empty: the system's default input")
    rate_hz: int = Field(16_000, description="of the published sound [Hz]", ge=4000, le=192_000)
    channels: int = Field(
        0, description="how many to record; 0: all that the device has, or two of a sound server", ge=0, le=256
    )
    channel: int = Field(-1, description="which of them is heard, counted from 0; -1: their mean", ge=-1, le=255)
    frame_id: str = Field("microphone", description="frame_id of the sound")


class OnboardSettings(PerceptionSettings):
    """Devices and perceiver in one process."""

    camera: CameraSettings = CameraSettings()
    microphone: MicrophoneSettings = MicrophoneSettings()
