"""The perceiver: owns a bundle's engines and the token store, and turns samples into percepts."""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from tokenizers import Tokenizer

from edgefuse.runtime.aligner import Aligner
from edgefuse.runtime.bundle import Bundle
from edgefuse.runtime.encoder import Encoder
from edgefuse.runtime.errors import BundleError, PromptError, StreamError
from edgefuse.runtime.evidence import Tokens
from edgefuse.runtime.fusion import Fusion
from edgefuse.runtime.inlets import FrameSlot, Inlet, TextSlot
from edgefuse.runtime.live import LiveRun
from edgefuse.runtime.manifest import Manifest, Modality
from edgefuse.runtime.percept import Percept, Trace
from edgefuse.runtime.prompts import Prompts, encode_prompts
from edgefuse.runtime.samples import Sample
from edgefuse.runtime.schedule import AtRate, OnAny, OnLead, Schedule
from edgefuse.runtime.streams import Stream
from edgefuse.runtime.tokens import TokenStore
from edgefuse.runtime.window import Window

FuseOn: TypeAlias = Literal["lead", "any"] | float


class Perceiver:
    """Samples in, percepts out, for any subset of the bundle's senses.

    Over the same stages there are three ways to use it:
    - `perceive(*streams)` runs streams and yields percepts;
    - `perceive()` in one thread and `push(sample)` in others, as ROS callbacks do, until `close()`;
    - `push(sample)` and `step()` in turn in one thread, where the samples' order alone decides the result.

    `now_ns` is the clock that pushed samples are stamped on.
    """

    def __init__(
        self,
        bundle: Bundle,
        prompts: Sequence[str] = (),
        senses: Collection[str] = (),
        fuse_on: FuseOn = "lead",
        offsets_ms: Mapping[str, float] = MappingProxyType({}),
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        modalities = _chosen(bundle.manifest, senses)
        self._lead = modalities[0]
        self._tokenizer = _tokenizer(bundle)
        self.bundle = bundle
        self.senses = tuple(modality.name for modality in modalities)
        self.new = {name: threading.Event() for name in self.senses}
        self.closed = threading.Event()
        self._encoders = {m.name: Encoder(m, bundle.engine(m.name)) for m in modalities}
        self._fusion = Fusion(bundle.manifest, bundle.engine("fusion"), _prompts(bundle, prompts, self._tokenizer))
        self._fusing = threading.Lock()
        self._schedule = _schedule(fuse_on, self._lead)
        self._tokens = TokenStore(modalities, {name: round(ms * 1e6) for name, ms in offsets_ms.items()})
        self._aligner = Aligner({m.name: _inlet(m, self._tokenizer) for m in modalities}, now_ns)
        self._now_ns = now_ns

    @staticmethod
    def open(
        directory: str | Path,
        prompts: Sequence[str] = (),
        senses: Collection[str] = (),
        fuse_on: FuseOn = "lead",
        offsets_ms: Mapping[str, float] = MappingProxyType({}),
    ) -> Perceiver:
        """A perceiver of the bundle in `directory`.

        `prompts` name the classes: the bundle's own labels if none are given; its background label is always among
        them. `senses` are the modalities to use (all). `fuse_on` is when a percept is due: on each new evidence of the
        first sense ("lead"), of any sense ("any"), or that many times a second. `offsets_ms` say by how much a sense's
        stamps are late compared with the others'. Raises BundleError or PromptError.
        """
        return Perceiver(Bundle.open(directory), prompts, senses, fuse_on, offsets_ms)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that percepts are scored over."""
        return self._fusion.prompts.labels

    @property
    def backends(self) -> dict[str, str]:
        """What really runs each graph, by the graph's name."""
        engines = {sense: encoder.engine for sense, encoder in self._encoders.items()} | {"fusion": self._fusion.engine}
        return {graph: engine.backend for graph, engine in engines.items()}

    def set_prompts(self, prompts: Sequence[str]) -> None:
        """Name the classes anew from the next percept on, see `open`; raises PromptError and changes nothing then."""
        encoded = _prompts(self.bundle, prompts, self._tokenizer)
        with self._fusing:
            self._fusion.prompts = encoded

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
            self.new[sense].set()
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
        tokens = self._encoders[sense].encode(evidence, self._now_ns)
        self._tokens.put(tokens)
        return tokens

    def fuse(self) -> Percept | None:
        """token store -> fusion -> percept, if one is due."""
        with self._fusing:
            trigger = self._schedule.trigger(self._tokens)
            if trigger is None:
                return None
            aligned = self._tokens.align(trigger.stamp_ns)
            fused = self._fusion.fuse(aligned)
            fused_ns = self._now_ns()
            return self._fusion.percept(fused, trigger.stamp_ns, aligned, lambda: self._trace(trigger, fused_ns))

    def close(self) -> None:
        """End a `perceive()` that has no streams; thread-safe. It may then be called again."""
        self.closed.set()
        self.new[self.senses[0]].set()

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
    return [modality for modality in manifest.modalities if modality.name in senses or not senses]


def _schedule(fuse_on: FuseOn, lead: Modality) -> Schedule:
    if fuse_on == "lead":
        return OnLead(lead)
    return OnAny() if fuse_on == "any" else AtRate(float(fuse_on))


def _tokenizer(bundle: Bundle) -> Tokenizer | None:
    if bundle.manifest.tokenizer is None:
        return None
    path = bundle.directory / bundle.manifest.tokenizer
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises Exception itself
        raise BundleError(f"{path} is no tokenizer: {error}") from error


def _prompts(bundle: Bundle, texts: Sequence[str], tokenizer: Tokenizer | None) -> Prompts:
    manifest = bundle.manifest
    text = next((modality for modality in manifest.modalities if modality.kind == "text"), None)
    if text is None or tokenizer is None:
        raise BundleError(f"{bundle.directory} has no text sense with a tokenizer, so nothing can name its classes")
    named = {text: text for text in texts} or manifest.labels
    if manifest.background is not None:
        named = named | {manifest.background: manifest.labels[manifest.background]}
    if len(texts) != len(set(texts)):
        raise PromptError(f"a prompt is given twice: {', '.join(texts)}")
    return encode_prompts(named, tokenizer, bundle.engine(text.name), text)


def _inlet(modality: Modality, tokenizer: Tokenizer | None) -> Inlet:
    if modality.kind == "image":
        return FrameSlot(modality)
    if modality.kind == "text":
        if tokenizer is None:
            raise BundleError(f"the text sense {modality.name!r} has no tokenizer in its bundle")
        return TextSlot(modality, tokenizer)
    return Window(modality)
