"""The six solids as polygon meshes, and their drawing into an image with light and shadow."""

from functools import cache

import cv2
import numpy as np

from edgefuse.tabletop.vocabulary import SHAPES


@cache
def mesh(shape: str, segments: int = 22) -> tuple[np.ndarray, np.ndarray]:
    """Vertices float (v, 3), about -1..1 around the centre, and outward quads int (f, 4). Do not write to them.

    Every solid is a lathe: an outline (radius, height) carried around a polygon.
    """
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    slab = np.array([(0, -1), (1, -1), (1, 1), (0, 1)], dtype=float)
    if shape == "ball":
        arc = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
        return lathe(np.stack([np.cos(arc), np.sin(arc)], axis=1), around)
    if shape == "cube":
        corners = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=float)
        return lathe(slab * 0.8, corners)
    if shape == "cone":
        return lathe(np.array([(0, -0.9), (0.85, -0.9), (0, 1.15)]), around)
    if shape == "cylinder":
        return lathe(slab * (0.62, 1.0), around)
    if shape == "ring":
        arc = np.linspace(-np.pi, np.pi, segments // 2 + 1)
        return lathe(np.stack([0.76 + 0.27 * np.cos(arc), 0.27 * np.sin(arc)], axis=1), around)
    if shape == "star":
        spikes = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        radius = np.where(np.arange(10) % 2 == 0, 1.15, 0.48)
        return lathe(slab * (1.0, 0.26), np.stack([np.cos(spikes) * radius, np.sin(spikes) * radius], axis=1))
    raise ValueError(f"no such shape: {shape!r}; expected one of {', '.join(SHAPES)}")


def lathe(outline: np.ndarray, polygon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carries `outline` (t, 2) of (radius, height), bottom to top, around `polygon` (s, 2), counter-clockwise."""
    rows, sides = len(outline), len(polygon)
    flat = outline[:, None, :1] * polygon[None, :, :]
    height = np.broadcast_to(outline[:, None, 1:], (rows, sides, 1))
    vertices = np.concatenate([flat, height], axis=2).reshape(-1, 3)
    row, side = (grid.ravel() for grid in np.meshgrid(np.arange(rows - 1), np.arange(sides), indexing="ij"))
    beside = (side + 1) % sides
    quads = np.stack(
        [row * sides + side, row * sides + beside, (row + 1) * sides + beside, (row + 1) * sides + side], axis=1
    )
    return vertices, quads


def rotation(yaw: float, tilt: float, roll: float = 0.0) -> np.ndarray:
    """Roll about x, then tilt about y, then yaw about z [rad]: float (3, 3), to be applied to column vectors."""
    cos_y, sin_y, cos_t, sin_t, cos_r, sin_r = (f(a) for a in (yaw, tilt, roll) for f in (np.cos, np.sin))
    about_z = np.array([(cos_y, -sin_y, 0), (sin_y, cos_y, 0), (0, 0, 1)])
    about_y = np.array([(cos_t, 0, sin_t), (0, 1, 0), (-sin_t, 0, cos_t)])
    about_x = np.array([(1, 0, 0), (0, cos_r, -sin_r), (0, sin_r, cos_r)])
    return np.asarray(about_z @ about_y @ about_x)


class View:
    """A pinhole camera that looks down at the table (z = 0) at `elevation` [rad] from `distance`."""

    def __init__(self, rows: int, columns: int, elevation: float, distance: float = 7.0, width: float = 4.4) -> None:
        self.forward = np.array([0.0, np.cos(elevation), -np.sin(elevation)])
        self.axes = np.stack([(1.0, 0.0, 0.0), (0.0, np.sin(elevation), np.cos(elevation)), self.forward])
        self.position = -distance * self.forward
        self.focal = columns * distance / width
        self.center = np.array([columns / 2, rows / 2])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) -> pixels float (n, 2) as (column, row), depth (n,)."""
        x, y, depth = self.axes @ (points - self.position).T
        return self.center + self.focal * np.stack([x / depth, -y / depth], axis=1), depth


def draw_shadow(image: np.ndarray, view: View, vertices: np.ndarray, light: np.ndarray, strength: float) -> None:
    """Darkens the table (in place, float image) where the solid hides the light; `light` points towards the lamp."""
    on_table = vertices - vertices[:, 2:] / light[2] * light
    outline = cv2.convexHull(view.project(on_table)[0].astype(np.float32))
    shade: np.ndarray = np.zeros(image.shape[:2], np.float32)
    cv2.fillConvexPoly(shade, np.rint(outline).astype(np.int32), 1.0)
    shade = cv2.GaussianBlur(shade, (0, 0), image.shape[1] / 70)
    image *= 1 - strength * shade[:, :, None]


def draw_solid(
    image: np.ndarray, mask: np.ndarray, view: View, vertices: np.ndarray, quads: np.ndarray, color: np.ndarray,
    light: np.ndarray, gloss: float,
) -> None:  # fmt: skip
    """Paints the faces that look at the camera, far to near, in place: image float (rows, columns, 3), mask uint8.

    Lambert's cosine law plus a Blinn highlight of strength `gloss`; color is RGB 0..255, light a unit vector.
    """
    corners = vertices[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    middle = corners.mean(axis=1)
    toward = view.position - middle
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    half = toward + light
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    lit = 0.42 + 0.62 * np.clip(normals @ light, 0, None)
    shine = 255 * gloss * np.clip((normals * half).sum(axis=1), 0, None) ** 24
    shades = np.clip(color * lit[:, None] + shine[:, None], 0, 255)

    pixels, depth = view.project(vertices)
    polygons = np.rint(pixels[quads]).astype(np.int32)
    visible = np.flatnonzero((normals * toward).sum(axis=1) > 0)
    for face in visible[np.argsort(-depth[quads[visible]].mean(axis=1))]:
        cv2.fillConvexPoly(image, polygons[face], shades[face].tolist())
        cv2.fillConvexPoly(mask, polygons[face], 1)
