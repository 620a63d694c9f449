"""The table's surface: procedural, muted textures, different ones in each split."""

from functools import lru_cache

import cv2
import numpy as np

SEEDS = {"train": 0, "validation": 10_000, "test": 20_000}
KINDS = {
    "train": ("wood", "plain", "speckle", "stripes"),
    "validation": ("wood", "plain", "speckle", "check"),
    "test": ("wood", "plain", "speckle", "check"),
}
PER_SPLIT = 60


@lru_cache(maxsize=256)
def surface(split: str, index: int, rows: int = 192, columns: int = 256) -> np.ndarray:
    """float32 (rows, columns, 3) RGB 0..255: texture `index` (0..59) of the split. Do not write to it."""
    rng = np.random.default_rng(SEEDS[split] + index)
    kind = KINDS[split][index % len(KINDS[split])]
    base = muted_color(rng)
    relief = cloud(rng, rows, columns, rng.uniform(20, 60)) * rng.uniform(4, 14)
    relief = relief + PATTERNS[kind](rng, rows, columns) * rng.uniform(6, 22)
    return np.clip(base + relief[:, :, None] * rng.uniform(0.7, 1.2, 3), 0, 255).astype(np.float32)


def muted_color(rng: np.random.Generator) -> np.ndarray:
    """RGB 0..255 of little saturation, so that no table is the colour of an object."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0.02, 0.2), rng.uniform(0.3, 0.9)]]], dtype=np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255)


def cloud(rng: np.random.Generator, rows: int, columns: int, size: float) -> np.ndarray:
    """Smooth noise with features of `size` pixels, mean 0, deviation 1."""
    coarse = rng.standard_normal((max(2, int(rows / size) + 2), max(2, int(columns / size) + 2))).astype(np.float32)
    smooth = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6))


def wood(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    y = np.linspace(0, rng.uniform(6, 20), rows, dtype=np.float32)[:, None]
    grain = np.sin(2 * np.pi * (y + 0.35 * cloud(rng, rows, columns, 70)))
    return np.asarray(grain + 0.4 * rng.standard_normal((rows, 1)).astype(np.float32))


def plain(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return 0.15 * rng.standard_normal((rows, columns)).astype(np.float32)


def speckle(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return cloud(rng, rows, columns, rng.uniform(1.5, 4))


def stripes(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    angle, period = rng.uniform(0, np.pi), rng.uniform(10, 40)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    return np.asarray(np.sign(np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)).astype(np.float32))


def check(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    period = rng.uniform(16, 48)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    return np.asarray(
        0.7 * (np.sign(np.sin(2 * np.pi * x / period)) + np.sign(np.sin(2 * np.pi * y / period))).astype(np.float32)
    )


PATTERNS = {"wood": wood, "plain": plain, "speckle": speckle, "stripes": stripes, "check": check}
