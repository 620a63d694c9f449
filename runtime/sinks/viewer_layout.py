"""What the viewer's window looks like, and which colour and which path in the recording everything has."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import rerun as rr
import rerun.blueprint as rrb

from edgefuse.runtime.bundle.manifest import Manifest
from edgefuse.runtime.sinks.timeline import label_color

TIMELINE = "sensed"
SENSE_COLORS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (148, 103, 189), (140, 86, 75), (227, 119, 194))
FUSED_COLOR = (230, 230, 230)
STAGE_COLORS = ((140, 140, 140), (188, 189, 34), (31, 119, 180), (255, 127, 14), (44, 160, 44))
_LIVE_WINDOW_S = 20.0


def blueprint(manifest: Manifest, live: bool) -> rrb.Blueprint:
    """What was sensed on the left, what the percepts made of it on the right; all plots share one time axis.

    Live, the plots show the last 20 s; of a file, everything.
    """
    images = [m.name for m in manifest.modalities if m.kind == "image"]
    sounds = {m.name: m.rate_hz for m in manifest.modalities if m.kind == "audio"}
    sensed: list[rrb.View] = [rrb.Spatial2DView(origin=f"/{name}", name=name) for name in images]
    for name, rate_hz in sounds.items():
        title = f"{name}: last 5 s, 0 to {rate_hz / 2000:g} kHz (mel)"
        sensed.append(rrb.Spatial2DView(origin=f"/{name}/spectrogram", name=title))
        sensed.append(_plot(f"/{name}/waveform", f"{name}: waveform", live, (-1, 1), legend=False))
    sensed_shares = [4.0] * len(images) + [1.4, 1.2] * len(sounds)
    percept = rrb.TextDocumentView(origin="/percept", name="percept")
    plots = [
        rrb.StateTimelineView(origin="/labels", name="what each sense says", time_view=_axis(live)),
        _plot("/scores", "scores of the labels that came up", live, (0, 1), legend=False),
        _plot("/sureness", "confidence and agreement", live, (0, 1)),
        _plot("/weights", "weights of the senses", live, (0, 1)),
        _plot("/ages", "ages of the senses [ms]", live, legend=False),
        _plot("/latency", "latency and its stages [ms]", live),
    ]
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(*sensed, percept, row_shares=[*sensed_shares, 3.2]),
            rrb.Vertical(*plots, row_shares=[1.3, 1.2, 1.0, 1.0, 1.0, 1.0]),
            column_shares=[1, 1.6],
        ),
        rrb.TimePanel(state="collapsed", timeline=TIMELINE, play_state="following" if live else "playing"),
        collapse_panels=True,
    )


def line(name: str, color: Sequence[int], width: float = 1.5) -> rr.SeriesLines:
    """The style of one line of a plot."""
    return rr.SeriesLines(colors=[list(color)], names=[name], widths=[width])


def rgb(label: str) -> list[int]:
    """The colour that a label names, else one of its own, 0..255."""
    color = label_color(label)
    if isinstance(color, str):
        return [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    hue, lightness, saturation = colorsys.rgb_to_hls(*color)
    return [round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, saturation)]


def _plot(
    origin: str, name: str, live: bool, limits: tuple[float, float] | None = None, legend: bool = True
) -> rrb.TimeSeriesView:
    return rrb.TimeSeriesView(
        origin=origin,
        name=name,
        axis_x=_axis(live),
        axis_y=rrb.ScalarAxis(range=limits, zoom_lock=limits is not None),
        plot_legend=rrb.PlotLegend(visible=legend, corner=rrb.Corner2D.LeftTop),
    )


def _axis(live: bool) -> rrb.TimeAxis:
    if not live:
        return rrb.TimeAxis(link=rrb.components.LinkAxis.LinkToGlobal)
    boundary = rr.TimeRangeBoundary.cursor_relative
    return rrb.TimeAxis(view_range=rr.TimeRange(start=boundary(seconds=-_LIVE_WINDOW_S), end=boundary(seconds=0.0)))
