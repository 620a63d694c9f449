"""The node that ours are measured beside: one callback, PyTorch eager, the whole network for each frame."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import rclpy
import torch
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from edgefuse.fusion.checkpoint import load_checkpoint
from edgefuse.fusion.labels import prompt_of
from edgefuse.fusion.tokenizer import token_ids
from edgefuse_msgs.msg import AudioChunk, Percept


class NaiveNode(Node):
    """image and audio in, percepts out; the latency in each percept is from the image's stamp to its publishing."""

    def __init__(self) -> None:
        super().__init__("naive")
        torch.set_num_threads(1)
        checkpoint = load_checkpoint(str(self.declare_parameter("checkpoint", Parameter.Type.STRING).value))
        self.network = checkpoint.network.eval()
        self.labels = checkpoint.labels
        self.prompt_ids = torch.from_numpy(
            token_ids(checkpoint.tokenizer, [prompt_of(label) for label in checkpoint.labels])
        )
        self.window = np.zeros(checkpoint.config.window_samples, np.float32)
        self.percepts = self.create_publisher(Percept, "percepts", 10)
        self.create_subscription(Image, "image", self.take_image, qos_profile_sensor_data)
        self.create_subscription(AudioChunk, "audio", self.take_audio, 500)

    def take_audio(self, message: AudioChunk) -> None:
        pcm = np.frombuffer(message.data, "<f4")
        self.window = np.concatenate([self.window, pcm])[-len(self.window) :]

    def take_image(self, message: Image) -> None:
        stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        received_ns = self.get_clock().now().nanoseconds
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        scores = self.scores(pixels if message.encoding == "rgb8" else pixels[..., ::-1])
        percept = Percept(header=message.header, labels=list(self.labels), scores=scores.tolist())
        percept.label = self.labels[int(scores.argmax())]
        fused_ns = self.get_clock().now().nanoseconds
        percept.trace.receive_ms = (received_ns - stamp_ns) / 1e6
        percept.trace.fuse_ms = (fused_ns - received_ns) / 1e6
        percept.trace.latency_ms = (fused_ns - stamp_ns) / 1e6
        self.percepts.publish(percept)

    def scores(self, rgb: np.ndarray) -> np.ndarray:
        """Of every label, for a frame (height, width, 3) and the newest sound."""
        with torch.inference_mode():
            fused = self.network(
                torch.from_numpy(rgb[None].copy()),
                torch.from_numpy(self.window[None]),
                torch.zeros((1, 4), dtype=torch.int64),
                torch.tensor([[True, True, False]]),
                self.prompt_ids,
            )
        scores: np.ndarray = fused.scores[0].numpy()
        return scores


if __name__ == "__main__":
    rclpy.init()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(NaiveNode())
