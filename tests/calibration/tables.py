"""Truth, estimate and error of every lens and of many clips: `python tests/calibration/tables.py [PICTURES]`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from flashes import Clocks, clip
from rendering import LENSES, Lens, Scene, photograph
from rich.console import Console
from rich.table import Table

from edgefuse.calibration.boards import Board
from edgefuse.calibration.camera import calibrate_camera
from edgefuse.calibration.camera_picture import draw_camera
from edgefuse.calibration.sync import Method, measure_sync
from edgefuse.calibration.sync_picture import draw_sync
from edgefuse.calibration.views import ViewCollector, view_of
from edgefuse.calibration.witness import Witness
from edgefuse.runtime.errors import CalibrationError

CONSOLE = Console(width=150)
BOARDS = (Board("charuco", 9, 7, 0.03, 0.022), Board("chessboard", 9, 7, 0.03))
CLOCKS = tuple(Clocks(offset, drift) for offset in (-300, -120, 0, 80, 200, 300) for drift in (0, 100, 200))
CLIPS = ((30.0, 12.0, 0.01), (30.0, 3.0, 0.033), (90.0, 6.0, 0.02))


def camera_row(lens: Lens, board: Board, noise: float, pictures: Path | None) -> list[str]:
    """One lens, one board, 20 pictures."""
    collector = ViewCollector()
    for picture in photograph(Scene(lens, board), board, 20, seed=1, noise=noise):
        view = view_of(picture, board)
        if view is not None:
            collector.add(view)
    found = calibrate_camera(collector.sharp(), board, lens.name)
    if pictures is not None:
        draw_camera(pictures / f"{lens.name}_{board.kind}.png", found)
    matrix, sd = found.fit.matrix, found.fit.sd_px
    errors = [f"{(matrix[axis, axis] / lens.focal[axis] - 1) * 100:+.3f} %" for axis in (0, 1)]
    focal = [f"{lens.focal[0]:g}", f"{matrix[0, 0]:.2f} ± {sd[0]:.2f}", *errors]
    center = f"{matrix[0, 2] - lens.center[0]:+.2f} {matrix[1, 2] - lens.center[1]:+.2f}"
    kept = f"{len(found.used_views)} of {collector.seen}, {found.coverage:.0%}"
    return [lens.name, board.kind, f"{noise:g}", found.fit.model, *focal, center, f"{found.fit.error_px:.3f}", kept]


def camera_table(pictures: Path | None) -> Table:
    """Five lenses, two boards, two amounts of noise (standard deviation in grey levels)."""
    heads = (
        "lens",
        "board",
        "noise",
        "model chosen",
        "fx true",
        "fx found",
        "fx",
        "fy",
        "center [px]",
        "error",
        "views",
    )
    table = Table(*heads, title="camera", title_justify="left")
    for board in BOARDS:
        for noise in (6.0, 12.0):
            for lens in LENSES:
                table.add_row(*camera_row(lens, board, noise, pictures if noise == 6.0 else None))
    return table


def sync_errors(seconds: float, snr_db: float, exposure_s: float, method: Method, events: bool = True) -> list[str]:
    """All clocks on clips of one kind: errors of offset [ms] and drift [ppm], and how many were refused."""
    offsets, drifts, claimed, refused = [], [], [], 0
    for seed, clocks in enumerate(CLOCKS):
        witness = Witness()
        for sample in clip(clocks, seed, seconds, snr_db, events, exposure_s):
            witness.take(sample)
        try:
            sync = measure_sync(witness.seen(), witness.heard(), method).sync
        except CalibrationError:
            refused += 1
            continue
        offsets.append(sync.offset_ms - clocks.late_ms(sync.at_s))
        drifts.append(sync.drift_ppm - clocks.drift_ppm)
        claimed.append(sync.offset_sd_ms)
    kind = [
        f"{seconds:g} s",
        f"{snr_db:g} dB",
        f"{exposure_s * 1e3:g} ms",
        method if events else f"{method}, no events",
    ]
    if not offsets:
        return [*kind, str(len(CLOCKS)), "-", "-", "-", "-", str(refused)]
    worst, rms = float(np.abs(offsets).max()), float(np.sqrt(np.mean(np.square(offsets))))
    spread = f"{np.sqrt(np.mean(np.square(drifts))):.0f}"
    return [*kind, str(len(CLOCKS)), f"{rms:.2f}", f"{worst:.2f}", f"{np.mean(claimed):.2f}", spread, str(refused)]


def sync_table() -> Table:
    """Offsets of -300 to 300 ms with drifts of 0 to 200 ppm."""
    heads = (
        "clip",
        "SNR",
        "exposure",
        "method",
        "clips",
        "rms [ms]",
        "worst [ms]",
        "sd said [ms]",
        "drift rms",
        "refused",
    )
    table = Table(*heads, title="sync: offset found minus imposed", title_justify="left")
    for seconds, snr_db, exposure_s in CLIPS:
        for method in ("events", "correlation"):
            table.add_row(*sync_errors(seconds, snr_db, exposure_s, method))
    table.add_row(*sync_errors(30.0, 6.0, 0.01, "auto", events=False))
    return table


def main() -> None:
    """Print both; with a directory as argument, draw the pictures of the cameras and of one clip into it."""
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    CONSOLE.print(sync_table())
    CONSOLE.print(camera_table(pictures))
    if pictures is not None:
        witness = Witness()
        for sample in clip(Clocks(-120, 150), seed=5, seconds=60):
            witness.take(sample)
        draw_sync(pictures / "sync.png", measure_sync(witness.seen(), witness.heard()))


if __name__ == "__main__":
    main()
