"""The perceiver: owns a bundle's engines, prompts and thresholds, and turns the samples of one run after another into
percepts."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from edgefuse.runtime.arguments import check_kind, is_one_of, number_in, shown, texts_in, whole_in
from edgefuse.runtime.bundle.bundle import Bundle
from edgefuse.runtime.bundle.manifest import Manifest, Modality
from edgefuse.runtime.corrections.confidence import Confidence, read_confidence
from edgefuse.runtime.corrections.corrections import Corrections, read_corrections
from edgefuse.runtime.encoder import Encoder, GraphEncoder, RawEncoder
from edgefuse.runtime.engines.backends import open_engine
from edgefuse.runtime.engines.engine import Backend, Engine
from edgefuse.runtime.engines.selftest import replay
from edgefuse.runtime.errors import BundleError, EdgefuseError, SampleError, StreamError
from edgefuse.runtime.fusion import Fusion
from edgefuse.runtime.heads.classes import Classes
from edgefuse.runtime.heads.drift import Drift, own_familiar
from edgefuse.runtime.heads.known_prompts import own_known_prompts
from edgefuse.runtime.heads.prompts import Prompts, name_classes
from edgefuse.runtime.intake import Intake
from edgefuse.runtime.live import LiveThreads
from edgefuse.runtime.percept import Percept, Trace
from edgefuse.runtime.process.at_exit import inside
from edgefuse.runtime.process.fork import Home
from edgefuse.runtime.run import Run, Runs
from edgefuse.runtime.samples import Frame, Sample
from edgefuse.runtime.schedule import FuseOn, schedule_from
from edgefuse.runtime.senses.continuity import SetBack
from edgefuse.runtime.senses.drops import Drops
from edgefuse.runtime.senses.evidence import Tokens
from edgefuse.runtime.senses.inlets import open_inlet
from edgefuse.runtime.senses.sample_check import check_is_sample, checked
from edgefuse.runtime.senses.tokenizer import open_tokenizer
from edgefuse.runtime.senses.tokens import TokenStore
from edgefuse.runtime.streams import Stream, Watcher
from edgefuse.runtime.streams.bell import Bell
from edgefuse.runtime.streams.checked import Checked, Senses
from edgefuse.runtime.streams.corrected import Corrected

FUTURE_TOLERANCE_MS = 50.0
"""By how much clocks of two computers that are synchronised are apart at most, with a message's own way added."""

_LONGEST_OFFSET_MS = 60_000.0  # of stamps that are to be matched within a second or so
_LONGEST_AGE_MS = 86_400_000.0  # what was sensed a day ago is no evidence

log = logging.getLogger(__name__)


class Perceiver:
    """Samples in, percepts out, for any subset of the bundle's senses (all of them, if its network needs every one).

    It lives as long as its bundle is of use: engines, prompts, thresholds. One run after another uses it, see Run; each
    begins with nothing sensed and nothing counted. There are three ways to run it:
    - `perceive(*streams)` runs streams and yields percepts;
    - `perceive()` in one thread and `push(sample)` in others, as ROS callbacks do, until `close()`;
    - `push(sample)` and `step()` in turn in one thread, where the samples' order alone decides the result.

    `now_ns` is the clock that pushed samples are stamped on; one that is stamped further ahead of it than
    `future_tolerance_ms` is refused. `confidence` is how sure percepts really are, as measured: by the bundle's own
    file if it has one ("bundle"), or by this file; None: as the network says. `corrections` are made to all samples.
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
        confidence: Confidence | str | Path | None = "bundle",
        corrections: Corrections | None = None,
        future_tolerance_ms: float = FUTURE_TOLERANCE_MS,
    ) -> None:
        self._home = Home()
        check_kind("bundle", bundle, Bundle)
        check_kind("selftest", selftest, bool)
        check_kind("confidence", confidence, Confidence, str, Path, None)
        check_kind("corrections", corrections, Corrections, None)
        self._modalities = _choose(bundle.manifest, texts_in("senses", senses))
        prompts = _texts(prompts)
        tolerance_ms = number_in("future_tolerance_ms", future_tolerance_ms, 0.0, _LONGEST_OFFSET_MS, "ms")
        _check_clock(now_ns)
        schedule_from(fuse_on, self._modalities[0])  # what makes no sense is said before graphs are loaded
        _check_times(bundle.manifest, offsets_ms, "offsets_ms", -_LONGEST_OFFSET_MS, _LONGEST_OFFSET_MS)
        self.bundle = bundle
        self.senses = tuple(modality.name for modality in self._modalities)
        self._needed = bundle.manifest.needed
        self.new = {name: Bell() for name in self.senses}
        self._tokenizer = open_tokenizer(bundle)
        self._engines = {graph: open_engine(bundle, graph, backend) for graph in _graphs(bundle.manifest, self.senses)}
        if selftest:
            replay(bundle, self._engines)
        self._encoders = {sense: _encoder(self._engines.get(sense)) for sense in self.senses}
        self._fusion = Fusion(bundle.manifest, self._engines["fusion"])
        self._known_prompts = own_known_prompts(bundle)
        self._classes = Classes(bundle.manifest, self._named(prompts), _confidence(confidence, bundle))
        # An engine is for one thread at a time, and prompts are encoded by the text sense's.
        self._encoding = {modality.name: threading.Lock() for modality in bundle.manifest.modalities}
        self._fusing = threading.Lock()
        self._familiar = own_familiar(bundle)
        self._corrections = corrections
        self._future_tolerance_ns = round(tolerance_ms * 1e6)
        self._fuse_on = fuse_on
        self._offsets_ns = {sense: round(offsets_ms.get(sense, 0.0) * 1e6) for sense in self.senses}
        self._max_age_ns: dict[str, int] = {}
        self.set_max_age_ms({})
        self._strangers: set[str] = set()
        self.now_ns = now_ns
        self._runs = Runs(self._begin)

    @staticmethod
    def open(
        directory: str | Path,
        prompts: Sequence[str] = (),
        senses: Collection[str] = (),
        fuse_on: FuseOn = "lead",
        offsets_ms: Mapping[str, float] = MappingProxyType({}),
        backend: Backend = "auto",
        selftest: bool = True,
        confidence: str | Path | None = "bundle",
        camera_info: str | Path | None = None,
        sync: str | Path | None = None,
        require_signature: str | Path | None = None,
    ) -> Perceiver:
        """A perceiver of the bundle in `directory`.

        `prompts` name the classes: the bundle's own labels if none are given; its background label is always among
        them. `senses` are the modalities to use (all). `fuse_on` is when a percept is due: on each new evidence of the
        first sense ("lead"), of any sense ("any"), or that many times a second; where the network needs every sense,
        only while all are there and none is too old. `offsets_ms` say by how much a sense's stamps are late compared
        with the others'. `backend` runs the graphs; with `selftest` it has to reproduce the bundle's golden vectors
        first. `confidence` is a file of `edgefuse calibrate confidence`; "bundle": the bundle's own, if it has one;
        None: percepts are as sure as the network says. `camera_info` is the YAML file of the lens that frames are
        straightened by, `sync` a file of `edgefuse calibrate sync` that sets stamps right. `require_signature` is the
        public key of who must have signed the bundle. Raises BundleError, EngineError, PromptError or CalibrationError.
        """
        opened = Bundle.open(directory, require_signature)
        return Perceiver(
            opened,
            prompts,
            senses,
            fuse_on,
            offsets_ms,
            backend=backend,
            selftest=selftest,
            confidence=confidence,
            corrections=read_corrections(camera_info, sync, opened.manifest),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that percepts are scored over."""
        return self._classes.prompts.labels

    @property
    def far_prompts(self) -> dict[str, str]:
        """By label whose prompt is far from all that training knew: a sentence that says so, and why. See Percept."""
        return dict(self._classes.prompts.far or {})

    @property
    def backends(self) -> dict[str, str]:
        """What really runs each graph, by the graph's name."""
        return {graph: engine.backend for graph, engine in self._engines.items()}

    @property
    def closed(self) -> bool:
        """Whether the run was told to end, see `close`."""
        return self._runs.newest.closed

    def drift(self) -> dict[str, float]:
        """How far what each sense met lately is from what the bundle was made for, see Drift; DRIFT_WARN is much.

        Empty where the bundle does not say what that was, and before a sense was looked at 10 times.
        """
        drift = self._runs.newest.drift
        return {} if drift is None else drift.drift()

    def drops(self) -> dict[str, dict[str, int]]:
        """What came to nothing in this run (the last one, until another begins), by sense and reason, see Drops."""
        return self._runs.newest.drops.as_dict()

    def sensed(self) -> dict[str, int]:
        """How many samples of each sense came in this run (the last one, until another begins), used or not."""
        return self._runs.newest.drops.sensed()

    def set_back(self) -> int:
        """How often time was set back in this run (the last one, until another begins): all began anew each time."""
        return self._runs.newest.set_back

    def refusal(self, sense: str) -> str | None:
        """Why the last sample of a sense that was refused in this run was, in words that go on from "it"."""
        self._check_used(sense)
        return self._runs.newest.drops.refusal(sense)

    def newest(self, sense: str) -> Tokens | None:
        """The newest encoding of a sense, with the evidence behind it; None if there is none yet."""
        self._check_used(sense)
        return self._runs.newest.tokens.newest(sense)

    def set_prompts(self, prompts: Sequence[str]) -> None:
        """Name the classes anew from the next percept on, see `open`; raises PromptError and changes nothing then."""
        self._home.check("perceiver")
        prompts = _texts(prompts)
        naming = self.bundle.manifest.naming
        with self._encoding[naming.name] if naming else nullcontext():
            named = self._named(prompts)
        with self._fusing:
            self._classes.prompts = named

    def set_fuse_on(self, fuse_on: FuseOn) -> None:
        """From now on a percept is due on this, see `open`; raises EdgefuseError for what is no such thing."""
        self._runs.newest.schedule = schedule_from(fuse_on, self._modalities[0])
        self._fuse_on = fuse_on

    def set_max_age_ms(self, max_age_ms: Mapping[str, float]) -> None:
        """From now on older evidence of these senses is masked out; the bundle's own limit for senses not named.

        Raises EdgefuseError for a sense that the bundle has not, and for what is no time.
        """
        _check_times(self.bundle.manifest, max_age_ms, "max_age_ms", 0.0, _LONGEST_AGE_MS)
        for modality in self._modalities:
            self._max_age_ns[modality.name] = round(max_age_ms.get(modality.name, modality.max_age_ms) * 1e6)

    def perceive(self, *streams: Stream, watchers: Sequence[Watcher] = ()) -> Iterator[Percept]:
        """Run the streams to their end and yield a percept whenever one is due; closes the streams.

        With live streams, or none (`push` from elsewhere until `close`), newest wins and senses are encoded side by
        side. Streams that are not live are read as fast as possible, every sample in the order of its time, so that
        the same recording gives the same percepts. `watchers` see every sample as it is perceived, corrected.

        A run that comes to its end without a percept logs an error that says what became of all samples; `sensed` and
        `drops` count them in every run. Raises StreamError when a stream breaks off, EdgefuseError while another run of
        this perceiver goes on.
        """
        self._home.check("perceiver")
        kinds = _check_streams(streams, watchers)
        if kinds == {True, False}:
            raise StreamError("live streams and recordings read as fast as possible cannot run together")
        self._runs.check_idle()
        return (
            self._perceive_in_order(streams, watchers) if kinds == {False} else self._perceive_live(streams, watchers)
        )

    def push(self, sample: Sample, copy: bool = True) -> bool:
        """Hand in one sample; False if it was refused, or is of a sense that is not used. Thread-safe.

        A frame's pixels are copied, so that the caller may write into the buffer again; without `copy` the perceiver
        reads them where they lie, until it has encoded them or a newer frame. All else is always copied.

        Raises CalibrationError where the first frame has another size than the lens was calibrated for, EdgefuseError
        for what is no sample, and in a fork of the process that opened the perceiver, as does all that runs its
        engines.
        """
        self._home.check("perceiver")
        check_is_sample("what is pushed", sample)
        if sample.modality not in self._encoders:
            self._note_stranger(sample.modality)
            return False
        run = self._runs.for_next_sample()
        try:
            sample = checked(sample)
            if copy and isinstance(sample, Frame):
                sample = replace(sample, image=sample.image.copy())
            if run.corrections is not None:
                sample = run.corrections.correct(sample)
        except SampleError as error:
            self._refuse(sample, error)
            return False
        return self._take(sample)

    def step(self) -> Percept | None:
        """One turn in this thread: encode what is new of every sense, then fuse if a percept is due."""
        for sense in self.senses:
            self.encode(sense)
        return self.fuse()

    def encode(self, sense: str) -> Tokens | None:
        """intake -> encoder -> token store, for one sense; None if there is nothing new of it."""
        self._home.check("perceiver")
        self._check_used(sense)
        run = self._runs.newest
        evidence = run.intake.take(sense)
        if evidence is None:
            return None
        try:
            with inside, self._encoding[sense]:
                tokens = self._encoders[sense].encode(evidence, self.now_ns)
        except SampleError as error:
            run.intake.refuse(sense, error)
            return None
        run.tokens.put(tokens)
        if run.drift is not None:
            run.drift.note(tokens)
        return tokens

    def fuse(self) -> Percept | None:
        """token store -> fusion -> percept, if one is due."""
        self._home.check("perceiver")
        with inside, self._fusing:
            run = self._runs.newest
            trigger = run.schedule.trigger(run.tokens)
            if trigger is None:
                return None
            aligned = run.tokens.align(run.tokens.sensed_ns(trigger), self._needed)
            if aligned is None:
                return None
            try:
                fused = self._fusion.fuse(aligned, self._classes.prompts.embeddings)
            except SampleError as error:
                run.intake.refuse(trigger.evidence.modality, error)
                return None
            fused_ns = self.now_ns()
            strange = run.drift is not None and run.drift.is_strange(fused.fit)
            run.percepts += 1
            return self._classes.percept(
                fused, trigger.stamp_ns, aligned, strange, lambda: self._trace(trigger, fused_ns, run.clocked)
            )

    def close(self) -> None:
        """End a `perceive()` that has no streams; thread-safe. It may then be called again."""
        self._runs.close()
        self.new[self.senses[0]].ring()

    def _perceive_live(self, streams: Sequence[Stream], watchers: Sequence[Watcher]) -> Iterator[Percept]:
        with self._runs.perceiving(clocked=True):
            watched = self._watched(streams, watchers)
            with LiveThreads(self, watched, self._take_used) as threads:
                yield from threads.percepts()
            self._say_if_nothing()

    def _perceive_in_order(self, streams: Sequence[Stream], watchers: Sequence[Watcher]) -> Iterator[Percept]:
        with self._runs.perceiving(clocked=False), ExitStack() as stack:
            watched = self._watched(streams, watchers)
            for stream in watched:
                stack.callback(stream.close)
            for sample in heapq.merge(*watched, key=lambda sample: sample.until_ns):
                self._take_used(sample)
                percept = self.step()
                if percept is not None:
                    yield percept
            self._say_if_nothing()

    def _watched(self, streams: Sequence[Stream], watchers: Sequence[Watcher]) -> list[Stream]:
        """The streams, corrected, and then seen by the watchers."""
        corrections = self._runs.newest.corrections
        senses = Senses(self._refuse)
        watched: list[Stream] = [Checked(stream, senses) for stream in streams]
        if corrections is not None:
            watched = [Corrected(stream, corrections, self._refuse) for stream in watched]
        for watcher in watchers:
            watched = [watcher.tap(stream) for stream in watched]
        return watched

    def _named(self, texts: Sequence[str]) -> Prompts:
        """See name_classes; warns of prompts that the network can hardly know."""
        named = name_classes(self.bundle.manifest, texts, self._tokenizer, self._engines, self._known_prompts)
        for doubt in (named.far or {}).values():
            log.warning("%s", doubt)
        return named

    def _check_used(self, sense: str) -> None:
        if not is_one_of(sense, self.senses):
            raise EdgefuseError(f"there is no sense {shown(sense)} in use; there are {', '.join(self.senses)}")

    def _say_if_nothing(self) -> None:
        """A run that has come to its end and gave no percept says why."""
        run = self._runs.newest
        if not run.percepts and not run.closed:
            log.error("nothing was perceived: %s", "; ".join(run.drops.in_words()))

    def _note_stranger(self, sense: str) -> None:
        """Say once that samples are of a sense that the bundle has not; one that is not used is left in silence."""
        if sense not in self._strangers and sense not in {m.name for m in self.bundle.manifest.modalities}:
            self._strangers.add(sense)
            log.warning("samples of %r are of no sense of this bundle, which has %s", sense, ", ".join(self.senses))

    def _take_used(self, sample: Sample) -> None:
        if sample.modality in self._encoders:
            self._take(sample)
        else:
            self._note_stranger(sample.modality)

    def _refuse(self, sample: Sample, error: SampleError) -> None:
        """What makes no sense, before it is taken."""
        if sample.modality in self._encoders:
            run = self._runs.for_next_sample()
            run.drops.note_sensed(sample.modality)
            run.intake.refuse(sample.modality, error)

    def _take(self, sample: Sample) -> bool:
        """Into the intake, and ring for its encoder."""
        run = self._runs.for_next_sample()
        run.drops.note_sensed(sample.modality)
        try:
            taken = run.intake.put(sample)
        except SetBack as event:
            level = logging.INFO if event.by_ns is None else logging.WARNING
            log.log(level, "time %s (%s): what was sensed before is forgotten", event, sample.modality)
            run = self._runs.set_back(run)
            taken = run.intake.put(sample)
        if taken and run.intake.ready(sample.modality):
            self.new[sample.modality].ring()
        return taken

    def _begin(self, clocked: bool, drops: Drops | None) -> Run:
        """See Runs."""
        drops = drops or Drops(self.senses)
        inlets = {m.name: open_inlet(m, self._tokenizer, drops) for m in self._modalities}
        return Run(
            clocked=clocked,
            intake=Intake(inlets, drops, self.now_ns, self._future_tolerance_ns if clocked else None),
            tokens=TokenStore(self._max_age_ns, self._offsets_ns, drops),
            schedule=schedule_from(self._fuse_on, self._modalities[0]),
            drift=None if self._familiar is None else Drift(self._familiar),
            corrections=None if self._corrections is None else self._corrections.begin_anew(),
            drops=drops,
        )

    def _trace(self, trigger: Tokens, fused_ns: int, clocked: bool) -> Trace:
        received_ns = trigger.evidence.received_ns
        return Trace(
            sensed_ns=trigger.stamp_ns if clocked else received_ns,
            received_ns=received_ns,
            taken_ns=trigger.taken_ns,
            encoded_ns=trigger.encoded_ns,
            fused_ns=fused_ns,
            published_ns=self.now_ns(),
        )


def _choose(manifest: Manifest, senses: Collection[str]) -> list[Modality]:
    for name in senses:
        manifest.modality(name)
    missing = [name for name in manifest.needed if senses and name not in senses]
    if missing:
        raise BundleError(
            f"the network of bundle {manifest.name!r} needs all its senses, {', '.join(manifest.needed)}: "
            f"it cannot do without {', '.join(missing)}"
        )
    return [modality for modality in manifest.modalities if modality.name in senses or not senses]


def _check_times(manifest: Manifest, times_ms: Mapping[str, float], what: str, low: float, high: float) -> None:
    """Raises BundleError for a sense that is none, EdgefuseError for a time out of these bounds [ms]."""
    check_kind(what, times_ms, Mapping)
    for sense, time_ms in times_ms.items():
        check_kind(f"a sense in {what}", sense, str)
        manifest.modality(sense)
        number_in(f"{what} of {sense}", time_ms, low, high, "ms")


def _texts(prompts: Sequence[str]) -> Sequence[str]:
    """A copy; one text alone is left to whoever says what to write instead."""
    return prompts if isinstance(prompts, str) else texts_in("prompts", prompts)


def _check_clock(now_ns: Callable[[], int]) -> None:
    """Raises EdgefuseError for what does not tell the time in whole nanoseconds."""
    check_kind("now_ns", now_ns, Callable)  # type: ignore[arg-type]  # an abstract class, as isinstance takes
    whole_in("what now_ns gives", now_ns(), -(2**63), 2**63 - 1)


def _check_streams(streams: Sequence[Stream], watchers: Sequence[Watcher]) -> set[bool]:
    """Whether they are live; raises EdgefuseError for what is no stream, given twice, or no watcher."""
    for stream in streams:
        check_kind("what perceive() is given", stream, Stream)
        check_kind(f"`live` of {type(stream).__name__}", getattr(stream, "live", None), bool)
    if len({id(stream) for stream in streams}) < len(streams):
        raise EdgefuseError("perceive() is given the same stream twice")
    for watcher in watchers:
        if not callable(getattr(watcher, "tap", None)):
            raise EdgefuseError(f"a watcher has a method `tap`, {type(watcher).__name__} has none")
    return {stream.live for stream in streams}


def _confidence(which: Confidence | str | Path | None, bundle: Bundle) -> Confidence | None:
    """See Perceiver; raises CalibrationError for a file that is of no use."""
    if which is None or isinstance(which, Confidence):
        return which
    if which != "bundle":
        return read_confidence(which, bundle.manifest)
    own = bundle.manifest.confidence
    return None if own is None else read_confidence(bundle.directory / own, bundle.manifest)


def _graphs(manifest: Manifest, senses: Collection[str]) -> list[str]:
    """What has to be loaded: the graphs of the senses in use, of the one that names the classes, and the fusion."""
    naming = manifest.naming
    used = {*senses, "fusion"} | ({naming.name} if naming else set())
    return [graph for graph in manifest.graphs if graph in used]


def _encoder(engine: Engine | None) -> Encoder:
    return RawEncoder() if engine is None else GraphEncoder(engine)
