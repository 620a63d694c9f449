"""What a cheap camera does to a picture: little light, a colour cast, blur, noise."""

from functools import cache

import cv2
import numpy as np


def degrade(images: np.ndarray, strength: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 (n, rows, columns, 3) -> a degraded copy; strength float (n,), 0 = clean, 1 = hardly to be recognised.

    Light falls to as little as 1 - 0.92 strength; the white balance drifts; Gaussian blur of up to 2 strength pixels;
    noise of deviation about 0.27 strength of full scale, growing with the square root of the light (shot noise).
    """
    count = len(images)
    light = 1 - 0.92 * strength * rng.uniform(0, 1, count)
    cast = np.exp(rng.normal(0, 0.14, (count, 3)) * strength[:, None])
    blur = 2.0 * strength * rng.uniform(0, 1, count)
    grain = 0.012 + 0.27 * strength * rng.uniform(0.6, 1.4, count)
    return np.stack([expose(*one, rng) for one in zip(images, light[:, None] * cast, blur, grain, strict=True)])


def lamp_off(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same frames with hardly any light: nothing is to be seen but the sensor's noise."""
    light = rng.uniform(0.0, 0.05, len(images))
    grain = rng.uniform(0.01, 0.09, len(images))
    frames = zip(images, light, grain, strict=True)
    return np.stack([expose(image, np.full(3, level), 0.0, noise, rng) for image, level, noise in frames])


def expose(image: np.ndarray, gain: np.ndarray, blur: float, grain: float, rng: np.random.Generator) -> np.ndarray:
    """One frame: gain per channel (3,), blur deviation [pixels], noise deviation [full scale]."""
    lit: np.ndarray = image.astype(np.float32) * gain.astype(np.float32)
    if blur > 0.2:
        lit = cv2.GaussianBlur(lit, (0, 0), blur)
    start = int(rng.integers(len(normal_noise()) - lit.size))
    noise = normal_noise()[start : start + lit.size].reshape(lit.shape) * np.float32(255 * grain)
    noise *= 0.5 + 0.5 * np.sqrt(lit * np.float32(1 / 255))
    return np.asarray(np.clip(lit + noise, 0, 255).astype(np.uint8))


@cache
def normal_noise(samples: int = 1 << 23) -> np.ndarray:
    """float32 (samples,), deviation 1, always the same: frames take a stretch at a random place. Do not write to it."""
    return np.random.default_rng(5).standard_normal(samples, dtype=np.float32)
