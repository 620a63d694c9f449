"""What an export measured, as the two files of the bundle that say so: report.json to read, export.html to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from edgefuse.export.precision.candidates import Blame, Candidate
from edgefuse.export.precision.choose import PrecisionChoice, Wanted
from edgefuse.export.precision.quantize import Scheme
from edgefuse.export.report.page import page_from_report
from edgefuse.export.spec import FusionSpec
from edgefuse.fusion.examples import Examples
from edgefuse.runtime.bundle.manifest import Provenance
from edgefuse.runtime.bundle.verification import Strict, Verification
from edgefuse.runtime.engines.onnxruntime_package import load_onnxruntime
from edgefuse.runtime.engines.processor import processor_name
from edgefuse.runtime.errors import BundleError, FileError, first_fault
from edgefuse.runtime.files.documents import read_json

REPORT_FILE = "report.json"
PAGE_FILE = "export.html"

CALIBRATED, MEASURED = "calibrated on", "measured on"


class ExportReport(Strict):
    """The whole of report.json: every candidate of every graph, and how the bundle compares with PyTorch."""

    name: str
    wanted: Wanted
    scheme: Scheme
    processor: str
    candidates: tuple[Candidate, ...]
    blamed: tuple[Blame, ...] = ()
    samples: dict[str, str] = Field({}, description="how many of what, by what was done on them")
    remarks: tuple[str, ...] = Field((), description="what could not be measured on them")
    verified: Verification | None = None
    made: Provenance

    @property
    def graphs(self) -> dict[str, tuple[Candidate, ...]]:
        """The candidates by graph, in the graphs' order."""
        names = dict.fromkeys(candidate.graph for candidate in self.candidates)
        return {name: tuple(one for one in self.candidates if one.graph == name) for name in names}


def export_report(
    spec: FusionSpec,
    wanted: Wanted,
    scheme: Scheme,
    choices: Mapping[str, PrecisionChoice],
    verified: Verification | None,
    made: Provenance,
) -> ExportReport:
    """All that was measured of the bundle of a spec."""
    return ExportReport(
        name=spec.name,
        wanted=wanted,
        scheme=scheme,
        processor=f"{processor_name()}, onnxruntime {load_onnxruntime().__version__}, one thread",
        candidates=tuple(candidate for choice in choices.values() for candidate in choice.candidates),
        blamed=tuple(blame for choice in choices.values() for blame in choice.blamed),
        samples={CALIBRATED: samples_in_words(spec.calibration), MEASURED: samples_in_words(spec.holdout)},
        remarks=spec.remarks,
        verified=verified,
        made=made,
    )


def samples_in_words(examples: Examples) -> str:
    """How many, and what they are."""
    return f"{len(examples)} {examples.origin or 'samples of its own'}"


def read_report(path: Path) -> ExportReport:
    """What write_report wrote; raises BundleError where the file is damaged."""
    try:
        return ExportReport.model_validate(read_json(path))
    except FileError as error:
        raise BundleError(str(error)) from error
    except ValidationError as error:
        raise BundleError(f"{path} is no export report: {first_fault(error)}") from error


def write_report(report: ExportReport, directory: Path) -> None:
    """Write report.json and export.html into `directory`."""
    (directory / REPORT_FILE).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (directory / PAGE_FILE).write_text(page_from_report(report), encoding="utf-8")
