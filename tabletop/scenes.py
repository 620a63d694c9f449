"""Pictures of a table top: one object (or none) of random pose, size, light, surface and occlusion."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from edgefuse.tabletop.shapes import View, draw_shadow, draw_solid, mesh, rotation
from edgefuse.tabletop.surfaces import PER_SPLIT, surface
from edgefuse.tabletop.vocabulary import COLORS

HUES = {
    "red": (-8, 8),
    "orange": (20, 32),
    "yellow": (48, 60),
    "green": (100, 145),
    "blue": (205, 235),
    "purple": (266, 290),
}
"""Degrees on the HSV circle."""

UNNAMED = {
    "pink": ((325, 345), (0.3, 0.5), (0.85, 1.0), "red"),
    "brown": ((15, 25), (0.5, 0.7), (0.25, 0.42), "orange"),
    "lime": ((72, 84), (0.6, 0.9), (0.7, 1.0), "yellow"),
    "teal": ((168, 182), (0.6, 0.9), (0.5, 0.8), "green"),
    "cyan": ((186, 196), (0.5, 0.9), (0.8, 1.0), "blue"),
    "magenta": ((302, 318), (0.7, 1.0), (0.7, 1.0), "purple"),
    "grey": ((0, 360), (0.0, 0.08), (0.3, 0.95), None),
}
"""Colours without a name in the task: hue, saturation, value, and the named colour they resemble."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the camera looks at. Lengths: the picture is 4.4 wide; angles in rad; colours RGB 0..255."""

    split: str
    surface_index: int
    shape: str | None
    color: tuple[float, float, float] = (0.0, 0.0, 0.0)
    position: tuple[float, float] = (0.0, 0.0)
    height: float = 0.0
    size: float = 0.5
    yaw: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    elevation: float = 0.7
    light: tuple[float, float, float] = (0.4, -0.4, 0.82)
    gloss: float = 0.3
    shadow: float = 0.45
    blob_seed: int = 0
    occluder: tuple[float, float, float] | None = None
    """Angle, offset [object sizes] and grey 0..255 of a bar across the object."""


def hsv_color(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """RGB 0..255."""
    pixel = np.array([[[hue % 360, saturation, value]]], dtype=np.float32)
    return tuple((cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] * 255).tolist())


def named_color(color: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """A random shade of one of the six colours."""
    return hsv_color(rng.uniform(*HUES[color]), rng.uniform(0.68, 1.0), rng.uniform(0.62, 1.0))


def unnamed_color(rng: np.random.Generator, resembling_not: str) -> tuple[float, float, float]:
    """A random shade without a name here, of a hue not near `resembling_not`."""
    names = [name for name, (*_, near) in UNNAMED.items() if near != resembling_not]
    hue, saturation, value, _ = UNNAMED[names[rng.integers(len(names))]]
    return hsv_color(rng.uniform(*hue), rng.uniform(*saturation), rng.uniform(*value))


def random_scene(split: str, shape: str | None, color: tuple[float, float, float], rng: np.random.Generator) -> Scene:
    """`shape` None: an empty table; "blob": an irregular lump."""
    light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.8, 0.3), rng.uniform(0.6, 1.0)])
    light /= np.linalg.norm(light)
    scene = Scene(
        split=split,
        surface_index=int(rng.integers(PER_SPLIT)),
        shape=shape,
        color=color,
        position=(rng.uniform(-1.45, 1.45), rng.uniform(-1.0, 0.9)),
        size=rng.uniform(0.36, 0.62),
        yaw=rng.uniform(0, 2 * np.pi),
        elevation=rng.uniform(0.5, 0.95),
        light=tuple(light.tolist()),
        gloss=rng.uniform(0, 0.6),
        shadow=rng.uniform(0.2, 0.6),
        blob_seed=int(rng.integers(1 << 30)),
    )
    if rng.random() < 0.4:
        offset = rng.choice([-1, 1]) * rng.uniform(0.55, 1.3)
        scene = replace(scene, occluder=(rng.uniform(0, np.pi), offset, rng.uniform(20, 230)))
    tilt, roll = random_pose(shape, rng)
    return replace(scene, tilt=tilt, roll=roll)


def random_pose(shape: str | None, rng: np.random.Generator) -> tuple[float, float]:
    """How the solid stands or lies: tilt and roll [rad]."""
    tilt, roll = rng.normal(0, 0.12, 2)
    lies = {"cylinder": 0.35, "cone": 0.25, "ring": 0.5, "star": 0.6}.get(shape or "", 0.0)
    flat_is_upright = shape in ("ring", "star")
    if (rng.random() < lies) != flat_is_upright:
        tilt += np.pi / 2 * rng.uniform(0.75, 1.0)
    elif flat_is_upright:
        tilt += rng.uniform(0.1, 0.6)
    return float(tilt), float(roll)


def solid(scene: Scene, segments: int) -> tuple[np.ndarray, np.ndarray]:
    """The object's mesh in the scene's place, resting on the table: vertices (v, 3), quads (f, 4)."""
    vertices, quads = blob(scene.blob_seed) if scene.shape == "blob" else mesh(scene.shape, segments)
    vertices = vertices @ rotation(scene.yaw, scene.tilt, scene.roll).T * scene.size
    floor = (*scene.position, scene.height - vertices[:, 2].min())
    return vertices + floor, quads


def blob(seed: int, segments: int = 18) -> tuple[np.ndarray, np.ndarray]:
    """An irregular lump, like no named shape: a ball with random bumps."""
    rng = np.random.default_rng(seed)
    vertices, quads = mesh("ball", segments)
    directions = rng.standard_normal((5, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    bumps = np.exp(3 * (vertices @ directions.T - 1)) @ rng.uniform(-0.6, 0.9, 5)
    return vertices * (1 + bumps)[:, None] * rng.uniform(0.6, 1.2, 3), quads


def render(scene: Scene, rows: int = 96, columns: int = 128, segments: int = 22) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (rows, columns, 3) RGB as a clean camera sees it; float32 (rows, columns) 0..1 where the object shows.

    Drawn at twice the size and averaged down.
    """
    table = surface(scene.split, scene.surface_index)
    image = cv2.resize(table, (2 * columns, 2 * rows), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((2 * rows, 2 * columns), np.uint8)
    light = np.array(scene.light)
    across = np.linspace(-1, 1, 2 * columns, dtype=np.float32) * light[0]
    down = np.linspace(-1, 1, 2 * rows, dtype=np.float32)[:, None] * light[1]
    image *= (1 + 0.22 * (across - down))[:, :, None]
    if scene.shape is not None:
        view = View(2 * rows, 2 * columns, scene.elevation)
        vertices, quads = solid(scene, segments)
        draw_shadow(image, view, vertices, light, scene.shadow)
        draw_solid(image, mask, view, vertices, quads, np.array(scene.color), light, scene.gloss)
        draw_occluder(image, mask, view, scene)
    small = cv2.resize(np.clip(image, 0, 255), (columns, rows), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8), cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)


def draw_occluder(image: np.ndarray, mask: np.ndarray, view: View, scene: Scene) -> None:
    """A grey bar (a pencil, an arm, the edge of a box) in front of the object, in place, where the scene has one."""
    if scene.occluder is None:
        return
    angle, offset, grey = scene.occluder
    center = view.project(np.array([[*scene.position, scene.size]]))[0][0]
    unit = scene.size * view.focal / 7
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    middle, half = center + across * offset * unit, across * unit * 0.28
    far = along * (image.shape[0] + image.shape[1])
    ends = [middle - far - half, middle + far - half, middle + far + half, middle - far + half]
    polygon = np.rint(ends).astype(np.int32)
    cv2.fillConvexPoly(image, polygon, (grey, grey * 0.97, grey * 0.94))
    cv2.fillConvexPoly(mask, polygon, 0)


def random_color_of(label_color: str | None, rng: np.random.Generator) -> tuple[float, float, float]:
    """`named_color`, or black for an empty table."""
    return named_color(label_color, rng) if label_color in COLORS else (0.0, 0.0, 0.0)
