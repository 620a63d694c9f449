"""The microphone node: the runtime's microphone as a topic."""

from __future__ import annotations

from edgefuse.runtime import AudioChunk, Sample
from edgefuse.runtime.messages.ros_messages import audio_chunk_from_chunk
from edgefuse_msgs.msg import AudioChunk as AudioChunkMessage
from edgefuse_ros import devices, profiles
from edgefuse_ros.device_node import DeviceNode
from edgefuse_ros.settings import MicrophoneSettings
from edgefuse_ros.spin import spin


class MicrophoneNode(DeviceNode[MicrophoneSettings]):
    """Publishes `audio`, mono, stamped by the sound card's own clock; what was lost shows in `index` and `gap`."""

    def __init__(self) -> None:
        super().__init__("microphone", MicrophoneSettings)
        self._next_index = 0
        self._chunks = profiles.publisher(self, AudioChunkMessage, "audio", profiles.AUDIO)
        self.begin(lambda: devices.microphone(self.settings, self.clock.now_ns), self._publish)

    def _publish(self, sample: Sample) -> None:
        if isinstance(sample, AudioChunk):
            gap = max(0, sample.index - self._next_index)
            self._next_index = sample.index + len(sample.pcm)
            self._chunks.publish(audio_chunk_from_chunk(sample, self.clock.ros_ns(), gap, self.settings.frame_id))


def main() -> None:
    """`ros2 run edgefuse_ros microphone_node`."""
    spin(MicrophoneNode)
