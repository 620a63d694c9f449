"""The report of an export: the same numbers on screen, in the file and on the page."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edgefuse.export.parity import graph_check
from edgefuse.export.precision.candidates import Blame, Candidate
from edgefuse.export.report.files import PAGE_FILE, REPORT_FILE, ExportReport, read_report, write_report
from edgefuse.export.report.page import place_on_log_scale
from edgefuse.export.report.tables import precision_table
from edgefuse.runtime.bundle.manifest import Provenance
from edgefuse.runtime.bundle.verification import AccuracyCheck, AlignmentCheck, Verification
from edgefuse.runtime.errors import BundleError


@pytest.fixture
def report() -> ExportReport:
    exact = np.tile(np.array([3, 4], np.float32), (50, 1))
    row = graph_check("image", "embedding", "int8", exact, exact + np.array([0, 0.5]))
    int8 = Candidate(
        graph="image",
        precision="int8",
        method="entropy",
        wider=("conv_7",),
        size_bytes=902_000,
        outputs=(row,),
        latency_ms=0.968,
        speedup=1.56,
        speedup_range=(1.5, 1.6),
        refused="error too large: embedding, cosine p1 0.9000, bound 0.99",
    )
    float32 = Candidate(
        graph="image",
        precision="fp32",
        size_bytes=2_990_000,
        latency_ms=1.51,
        speedup=1.0,
        speedup_range=(1, 1),
        chosen=True,
    )
    return ExportReport(
        name="<tabletop> & co",
        wanted="auto",
        scheme="onnxruntime",
        processor="Cortex-A78AE",
        candidates=(float32, int8, Candidate(graph="image", precision="fp16", refused="it has branches or loops")),
        blamed=(Blame(graph="image", layer="encoder.stem (conv_7)", noise=0.25),),
        verified=Verification(
            graphs=(row,),
            accuracy=(
                AccuracyCheck(senses=("image", "audio"), samples=50, checkpoint=0.952, bundle=0.949, loss_bound=0.005),
            ),
            alignment=(AlignmentCheck(sense="image", samples=50, prompts=37, rank_agreement=0.9991, bound=0.98),),
        ),
        made=Provenance(edgefuse="1.0", command="edgefuse export <x>", packages={"onnx": "1.23"}),
    )


def test_the_file_is_read_as_it_was_written(report: ExportReport, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    assert read_report(tmp_path / REPORT_FILE) == report
    (tmp_path / REPORT_FILE).write_text("{}")
    with pytest.raises(BundleError, match="is no export report"):
        read_report(tmp_path / REPORT_FILE)


def test_the_table_says_what_each_candidate_costs_and_why(report: ExportReport) -> None:
    shown = io.StringIO()
    Console(width=160, file=shown).print(precision_table(report))
    text = shown.getvalue()
    for cell in (
        "fp32",
        "int8 entropy, 1 layer wider",
        "2.99 MB",
        "902 kB",
        "0.968",
        "1.56",
        "chosen",
        "branches or loops",
    ):
        assert cell in text
    assert "encoder.stem (conv_7) adds an error of 0.25" in text


class Page(HTMLParser):
    """The page's words, and the tags that are open at its end."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_whole_and_needs_nothing_else(report: ExportReport, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    html = (tmp_path / PAGE_FILE).read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script|<link|@import|url\(", html)
    page = Page(html)
    assert page.open == []
    text = " ".join(" ".join(page.words).split())
    for words in ("<tabletop> & co", "Cortex-A78AE", "int8 entropy, 1 layer wider", "902 kB", "1.510", "image + audio"):
        assert words in text
    for words in ("encoder.stem (conv_7): 0.25", "error too large: embedding", "0.9991", "-0.3", "edgefuse export <x>"):
        assert words in text


def test_a_page_without_verification_times_or_blame_is_whole_too(report: ExportReport, tmp_path: Path) -> None:
    untimed = tuple(
        one.model_copy(update={"latency_ms": None, "speedup": None, "speedup_range": None}) for one in report.candidates
    )
    bare = report.model_copy(update={"candidates": untimed, "verified": None, "blamed": (), "scheme": "tensorrt"})
    write_report(bare, tmp_path)
    assert Page((tmp_path / PAGE_FILE).read_text(encoding="utf-8")).open == []


def test_errors_lie_on_a_logarithmic_scale_with_its_ends_closed() -> None:
    assert place_on_log_scale(0) == 0
    assert place_on_log_scale(float("inf")) == 100
    assert place_on_log_scale(0.1) - place_on_log_scale(0.01) == pytest.approx(
        place_on_log_scale(1) - place_on_log_scale(0.1)
    )
