"""The perceiver: owns a bundle's engines and the token store, and turns samples into percepts."""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from edgefuse.runtime.aligner import Aligner
from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.calibrated.confidence import Confidence, read_confidence
from edgefuse.runtime.calibrated.drift import open_drift
from edgefuse.runtime.encoder import Encoder, GraphEncoder, RawEncoder
from edgefuse.runtime.engines.engine import Backend, Engine
from edgefuse.runtime.errors import BundleError, StreamError
from edgefuse.runtime.evidence import Tokens
from edgefuse.runtime.fusion import Fusion
from edgefuse.runtime.inlets import open_inlet
from edgefuse.runtime.live import Bell, LiveRun
from edgefuse.runtime.manifest import Manifest, Modality
from edgefuse.runtime.percept import Percept, Trace
from edgefuse.runtime.prompts import name_classes, open_tokenizer
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.schedule import AtRate, OnAny, OnLead, Schedule
from edgefuse.runtime.selftest import replay
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.tokens import TokenStore

FuseOn: TypeAlias = Literal["lead", "any"] | float


class Perceiver:
    """Samples in, percepts out, for any subset of the bundle's senses (all of them, if its network needs every one).

    Over the same stages there are three ways to use it:
    - `perceive(*streams)` runs streams and yields percepts;
    - `perceive()` in one thread and `push(sample)` in others, as ROS callbacks do, until `close()`;
    - `push(sample)` and `step()` in turn in one thread, where the samples' order alone decides the result.

    `now_ns` is the clock that pushed samples are stamped on. `confidence` is how sure percepts really are, as measured:
    by the bundle's own file if it has one; None: as the network says.
    """

    def __init__(
        self,
        bundle: Bundle,
        prompts: Sequence[str] = (),
        senses: Collection[str] = (),
        fuse_on: FuseOn = "lead",
        offsets_ms: Mapping[str, float] = MappingProxyType({}),
        now_ns: Callable[[], int] = time.monotonic_ns,
        backend: Backend = "auto",
        selftest: bool = True,
        confidence: Confidence | Literal["bundle"] | None = "bundle",
    ) -> None:
        modalities = _chosen(bundle.manifest, senses)
        self._lead = modalities[0]
        self.bundle = bundle
        self.senses = tuple(modality.name for modality in modalities)
        self._needed = bundle.manifest.needed
        self.new = {name: Bell() for name in self.senses}
        self.closed = threading.Event()
        self._tokenizer = open_tokenizer(bundle)
        self._engines = {graph: bundle.engine(graph, backend) for graph in _graphs(bundle.manifest, self.senses)}
        if selftest:
            replay(bundle, self._engines)
        self._encoders = {sense: _encoder(self._engines.get(sense)) for sense in self.senses}
        classes = name_classes(bundle.manifest, prompts, self._tokenizer, self._engines)
        measured = _own_confidence(bundle) if confidence == "bundle" else confidence
        self._drift = open_drift(bundle)
        self._fusion = Fusion(bundle.manifest, self._engines["fusion"], classes, measured, self._drift)
        # An engine is for one thread at a time, and prompts are encoded by the text sense's.
        self._encoding = {modality.name: threading.Lock() for modality in bundle.manifest.modalities}
        self._fusing = threading.Lock()
        self._schedule = _schedule(fuse_on, self._lead)
        self._tokens = TokenStore(modalities, {name: round(ms * 1e6) for name, ms in offsets_ms.items()})
        self._aligner = Aligner({m.name: open_inlet(m, self._tokenizer) for m in modalities}, now_ns)
        self._now_ns = now_ns

    @staticmethod
    def open(
        directory: str | Path,
        prompts: Sequence[str] = (),
        senses: Collection[str] = (),
        fuse_on: FuseOn = "lead",
        offsets_ms: Mapping[str, float] = MappingProxyType({}),
        backend: Backend = "auto",
        selftest: bool = True,
        confidence: str | Path | None = None,
    ) -> Perceiver:
        """A perceiver of the bundle in `directory`.

        `prompts` name the classes: the bundle's own labels if none are given; its background label is always among
        them. `senses` are the modalities to use (all). `fuse_on` is when a percept is due: on each new evidence of the
        first sense ("lead"), of any sense ("any"), or that many times a second; where the network needs every sense,
        only while all are there and none is too old. `offsets_ms` say by how much a sense's stamps are late compared
        with the others'. `backend` runs the graphs; with `selftest` it has to reproduce the bundle's golden vectors
        first. `confidence` is a file of `edgefuse calibrate confidence`, instead of the bundle's own. Raises
        BundleError, EngineError, PromptError or CalibrationError.
        """
        opened = Bundle.open(directory)
        measured = chosen_confidence(confidence, opened.manifest)
        return Perceiver(
            opened, prompts, senses, fuse_on, offsets_ms, backend=backend, selftest=selftest, confidence=measured
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that percepts are scored over."""
        return self._fusion.prompts.labels

    @property
    def backends(self) -> dict[str, str]:
        """What really runs each graph, by the graph's name."""
        return {graph: engine.backend for graph, engine in self._engines.items()}

    def drift(self) -> dict[str, float]:
        """How far what each sense met lately is from what the bundle was made for, see Drift; DRIFT_WARN is much.

        Empty where the bundle does not say what that was, and before a sense was looked at 10 times.
        """
        return {} if self._drift is None else self._drift.drift()

    def newest(self, sense: str) -> Tokens | None:
        """The newest encoding of a sense, with the evidence behind it; None if there is none yet."""
        return self._tokens.newest(sense)

    def set_prompts(self, prompts: Sequence[str]) -> None:
        """Name the classes anew from the next percept on, see `open`; raises PromptError and changes nothing then."""
        naming = self.bundle.manifest.naming
        with self._encoding[naming.name] if naming else nullcontext():
            classes = name_classes(self.bundle.manifest, prompts, self._tokenizer, self._engines)
        with self._fusing:
            self._fusion.prompts = classes

    def set_fuse_on(self, fuse_on: FuseOn) -> None:
        """From now on a percept is due on this, see `open`."""
        with self._fusing:
            self._schedule = _schedule(fuse_on, self._lead)

    def set_max_age_ms(self, max_age_ms: Mapping[str, float]) -> None:
        """From now on older evidence of these senses is masked out; the bundle's own limit for senses not named."""
        for sense in self.senses:
            limit_ms = max_age_ms.get(sense, self.bundle.manifest.modality(sense).max_age_ms)
            self._tokens.set_max_age_ns(sense, round(limit_ms * 1e6))

    def drops(self) -> dict[str, dict[str, int]]:
        """What came to nothing so far, by sense and reason; see Aligner.drops. `stale` counts encodings."""
        drops = {sense: Counter(counts) for sense, counts in self._aligner.drops().items()}
        for sense, counts in drops.items():
            counts["stale"] += self._tokens.stale(sense)
        return {sense: dict(+counts) for sense, counts in drops.items()}

    def perceive(self, *streams: Stream) -> Iterator[Percept]:
        """Run the streams to their end and yield a percept whenever one is due; closes the streams.

        With live streams, or none (`push` from elsewhere until `close`), newest wins and senses are encoded side by
        side. Streams that are not live are read as fast as possible, every sample in the order of its time, so that
        the same recording gives the same percepts. Raises StreamError when a stream breaks off.
        """
        kinds = {stream.live for stream in streams}
        if kinds == {True, False}:
            raise StreamError("live streams and recordings read as fast as possible cannot run together")
        return self._perceive_in_order(streams) if kinds == {False} else self._perceive_live(streams)

    def push(self, sample: Sample) -> bool:
        """Hand in one sample; False if it was refused, or is of a sense that is not used. Thread-safe."""
        sense = sample.modality
        if sense not in self._encoders or not self._aligner.put(sample, self._now_ns()):
            return False
        if self._aligner.ready(sense):
            self.new[sense].ring()
        return True

    def step(self) -> Percept | None:
        """One turn in this thread: encode what is new of every sense, then fuse if a percept is due."""
        for sense in self.senses:
            self.encode(sense)
        return self.fuse()

    def encode(self, sense: str) -> Tokens | None:
        """aligner -> encoder -> token store, for one sense; None if there is nothing new of it."""
        evidence = self._aligner.take(sense)
        if evidence is None:
            return None
        with self._encoding[sense]:
            tokens = self._encoders[sense].encode(evidence, self._now_ns)
        self._tokens.put(tokens)
        if self._drift is not None:
            self._drift.note(tokens)
        return tokens

    def fuse(self) -> Percept | None:
        """token store -> fusion -> percept, if one is due."""
        with self._fusing:
            trigger = self._schedule.trigger(self._tokens)
            if trigger is None:
                return None
            aligned = self._tokens.align(self._tokens.sensed_ns(trigger), self._needed)
            if aligned is None:
                return None
            fused = self._fusion.fuse(aligned)
            fused_ns = self._now_ns()
            return self._fusion.percept(fused, trigger.stamp_ns, aligned, lambda: self._trace(trigger, fused_ns))

    def close(self) -> None:
        """End a `perceive()` that has no streams; thread-safe. It may then be called again."""
        self.closed.set()
        self.new[self.senses[0]].ring()

    def _perceive_live(self, streams: Sequence[Stream]) -> Iterator[Percept]:
        try:
            with LiveRun(self, streams) as run:
                yield from run.percepts()
        finally:
            self.closed.clear()

    def _perceive_in_order(self, streams: Sequence[Stream]) -> Iterator[Percept]:
        self._aligner.now_ns = None
        with ExitStack() as stack:
            for stream in streams:
                stack.callback(stream.close)
            for sample in heapq.merge(*streams, key=lambda sample: sample.until_ns):
                self.push(sample)
                percept = self.step()
                if percept is not None:
                    yield percept

    def _trace(self, trigger: Tokens, fused_ns: int) -> Trace:
        received_ns = trigger.evidence.received_ns
        return Trace(
            sensed_ns=received_ns if self._aligner.now_ns is None else trigger.stamp_ns,
            received_ns=received_ns,
            taken_ns=trigger.taken_ns,
            encoded_ns=trigger.encoded_ns,
            fused_ns=fused_ns,
            published_ns=self._now_ns(),
        )


def _chosen(manifest: Manifest, senses: Collection[str]) -> list[Modality]:
    for name in senses:
        manifest.modality(name)
    missing = [name for name in manifest.needed if senses and name not in senses]
    if missing:
        raise BundleError(
            f"the network of bundle {manifest.name!r} needs all its senses, {', '.join(manifest.needed)}: "
            f"it cannot do without {', '.join(missing)}"
        )
    return [modality for modality in manifest.modalities if modality.name in senses or not senses]


def chosen_confidence(file: str | Path | None, manifest: Manifest) -> Confidence | Literal["bundle"]:
    """That of a file, if one is given, else the bundle's own; raises CalibrationError."""
    return read_confidence(file, manifest) if file else "bundle"


def _own_confidence(bundle: Bundle) -> Confidence | None:
    file = bundle.manifest.confidence
    return None if file is None else read_confidence(bundle.directory / file, bundle.manifest)


def _graphs(manifest: Manifest, senses: Collection[str]) -> list[str]:
    """What has to be loaded: the graphs of the senses in use, of the one that names the classes, and the fusion."""
    naming = manifest.naming
    used = {*senses, "fusion"} | ({naming.name} if naming else set())
    return [graph for graph in manifest.graphs if graph in used]


def _encoder(engine: Engine | None) -> Encoder:
    return RawEncoder() if engine is None else GraphEncoder(engine)


def _schedule(fuse_on: FuseOn, lead: Modality) -> Schedule:
    if fuse_on == "lead":
        return OnLead(lead)
    return OnAny() if fuse_on == "any" else AtRate(float(fuse_on))
