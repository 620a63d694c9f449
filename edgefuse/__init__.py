"""edgefuse: fused perception of image, audio, text and other senses on a robot."""

__version__ = "0.1.0"
