"""What the perception node and the onboard node have in common: a lifecycle around one perceiver at work."""

from __future__ import annotations

import gc
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from edgefuse.runtime import EdgefuseError, Perceiver, Percept, Sample
from edgefuse.runtime.bundle.manifest import Modality
from edgefuse_msgs.srv import SetPrompts
from edgefuse_ros.clock import RosClock
from edgefuse_ros.diagnosis import Diagnosis
from edgefuse_ros.faults import Faults, RosLogging
from edgefuse_ros.opening import fuse_on, max_age_ms, open_perceiver
from edgefuse_ros.parameters import Parameters
from edgefuse_ros.perceiver_thread import PerceiverThread
from edgefuse_ros.publishing import Publishing
from edgefuse_ros.settings import PerceptionSettings
from edgefuse_ros.sources import Sources

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class PerceivingNode(LifecycleNode, ABC):
    """configure loads the bundle, activate starts, deactivate frees the CPU, cleanup the memory.

    `now_ns` is the perceiver's clock. A service may run while messages come, see NodeExecutor; what changes the
    node's state or its perceiver does so one after the other.
    """

    def __init__(self, name: str, model: type[PerceptionSettings]) -> None:
        self._reentrant = ReentrantCallbackGroup()
        super().__init__(name)
        self._changing = threading.RLock()
        self.clock = RosClock(self)
        self.faults = Faults(self.get_logger())
        self.perceiving: PerceiverThread | None = None
        self.now_ns: Callable[[], int] = self.clock.now_ns
        self.parameters = Parameters(self, model)
        self.settings = self.parameters.read()
        self._sources: Sources | None = None
        self._active = False
        self._enabled = True
        self._failure: str | None = None
        self._publishing = Publishing(self, self.ros_ns)
        self._diagnosis = Diagnosis(self, self.faults)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(SetPrompts, "~/set_prompts", self._set_prompts)
        self.create_service(SetBool, "~/enable", self._enable)
        self.create_timer(1.0, self._every_second, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.add_on_set_parameters_callback(self._on_set_parameters)
        logging.getLogger("edgefuse").addHandler(RosLogging(self.get_logger()))

    @abstractmethod
    def sources(self, senses: Sequence[Modality], settings: PerceptionSettings) -> Sources:
        """Where these senses' samples will come from; raises ParameterError where that cannot be."""

    @abstractmethod
    def ros_ns(self) -> int:
        """What to add to a percept's stamp to get ROS time [ns]."""

    @property
    def default_callback_group(self) -> CallbackGroup:
        """A service that takes long keeps nothing else from running, see NodeExecutor."""
        return self._reentrant

    def autostart(self) -> None:
        """Configure and activate, where the parameter says so; else say that it waits for that."""
        if not self.settings.autostart:
            name = self.get_fully_qualified_name()
            self.get_logger().info(f"waits to be configured: `ros2 lifecycle set {name} configure`, or autostart:=true")
        elif self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    def close(self) -> None:
        """Let go of everything, in any state."""
        self._cease()
        self._active = False
        self.perceiving = self._sources = None
        gc.collect()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the bundle."""
        return super().on_configure(state) if self._succeeds("configure", self._load) else _FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Perceive, unless disabled."""
        self._active = self._succeeds("activate", self._begin)
        if self._active:
            return super().on_activate(state)
        self._cease()
        return _FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Cease to take and to perceive; the engines stay loaded."""
        self._cease()
        self._active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engines."""
        self.close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From any state."""
        self.close()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        self.close()
        return _SUCCESS

    def _load(self) -> None:
        self.settings = self.parameters.read()
        perceiver = open_perceiver(self.settings, self.now_ns)
        self._sources = self.sources(_senses(perceiver), self.settings)
        self.perceiving = PerceiverThread(perceiver, self._publish, self.faults)
        self.get_logger().info(f"configured: {_described(perceiver)}")

    def _begin(self) -> None:
        assert self.perceiving is not None, "active without being configured"
        assert self._sources is not None, "active without being configured"
        if self.perceiving.started_s is not None:
            return
        if not self._enabled:
            self.get_logger().info("active, but disabled: the service ~/enable lets it perceive")
            return
        self.perceiving.start()
        self._sources.open(self._push)
        self.get_logger().info(f"active: {'; '.join(self._sources.described())}")

    def _cease(self) -> None:
        with self._changing:
            if self._sources is not None:
                self._sources.close()
            if self.perceiving is not None:
                self.perceiving.stop()

    def _swap(self, settings: PerceptionSettings, perceiving: PerceiverThread) -> None:
        """Another perceiver, opened beside the old one, takes over; with other sources where its senses are others.

        Raises EdgefuseError, and the old one runs on.
        """
        perceiver = open_perceiver(settings, self.now_ns)
        if _senses(perceiver) == _senses(perceiving.perceiver):
            perceiving.swap(perceiver)
            return
        sources = self.sources(_senses(perceiver), settings)
        self._cease()
        perceiving.perceiver, self._sources = perceiver, sources
        if self._active:
            self._begin()

    def _succeeds(self, transition: str, act: Callable[[], None]) -> bool:
        try:
            with self._changing:
                act()
        except EdgefuseError as error:
            self._failure = f"cannot {transition}: {error}"
        except Exception as error:  # the border of the node, and rclpy says nothing of what it catches
            self._failure = f"cannot {transition}: {error!r}"
            self.faults.count(transition, "unexpected", repr(error))
        else:
            self._failure = None
            return True
        self.get_logger().error(self._failure)
        return False

    def _push(self, sample: Sample) -> None:
        perceiving = self.perceiving
        if perceiving is not None:
            self._publishing.note(sample)
            perceiving.push(sample)

    def _publish(self, percept: Percept, perceiver: Perceiver) -> None:
        if not self.context.ok():  # told to end, while a percept was on its way
            return
        self._publishing.publish(percept, perceiver.bundle, self.settings)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """An active node that is disabled frees the CPU, as an inactive one does."""
        with self._changing:
            self._enabled = request.data
            act = self._begin if request.data else self._cease
            response.success = not self._active or self._succeeds("be enabled", act)
            response.message = "" if response.success else self._failure or ""
        return response

    def _set_prompts(self, request: SetPrompts.Request, response: SetPrompts.Response) -> SetPrompts.Response:
        prompts = Parameter("prompts", Parameter.Type.STRING_ARRAY, list(request.prompts) or [""])
        (result,) = self.set_parameters([prompts])
        response.success, response.message = result.successful, result.reason
        if self.perceiving is not None:
            perceiver = self.perceiving.perceiver
            response.labels = list(perceiver.labels)
            response.message = response.message or "; ".join(perceiver.far_prompts.values())
        return response

    def _on_set_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        try:
            self._adopt(self.parameters.ours(parameters))
        except EdgefuseError as error:
            return SetParametersResult(successful=False, reason=str(error))
        except Exception as error:  # the border of the node
            self.faults.count("parameters", "unexpected", repr(error))
            return SetParametersResult(successful=False, reason=repr(error))
        return SetParametersResult(successful=True)

    def _adopt(self, changes: dict[str, Any]) -> None:
        with self._changing:
            settings = self.parameters.changed(changes)
            if self.perceiving is not None:
                self.parameters.check_live(changes)
                self._adopt_running(settings, changes, self.perceiving)
            self.settings = settings

    def _adopt_running(
        self, settings: PerceptionSettings, changes: Collection[str], perceiving: PerceiverThread
    ) -> None:
        if {"bundle", "backend", "confidence"} & set(changes):
            self._swap(settings, perceiving)
            return
        perceiver = perceiving.perceiver
        if "prompts" in changes:
            perceiver.set_prompts(settings.prompts)
        if {"fuse_on", "fusion_rate_hz"} & set(changes):
            perceiver.set_fuse_on(fuse_on(settings))
        perceiver.set_max_age_ms(max_age_ms(settings, perceiver.bundle.manifest))

    def _every_second(self) -> None:
        with self.faults.border("diagnostics"):
            message = DiagnosticArray(status=list(self._statuses()))
            message.header.stamp = self.get_clock().now().to_msg()
            self._diagnostics.publish(message)

    def _statuses(self) -> Iterable[DiagnosticStatus]:
        limits, perceiving, sources = self.settings.limits, self.perceiving, self._sources
        if perceiving is None:
            yield self._diagnosis.of_state("unconfigured", self._failure)
        elif perceiving.started_s is None:
            yield self._diagnosis.of_state("disabled" if self._active else "inactive", self._failure)
        else:
            yield from self._diagnosis.of_perceiving(perceiving, limits, self._publishing.withheld)
        if sources is not None:
            yield from sources.statuses(self._diagnosis)
        yield self._diagnosis.of_faults()
        yield self._diagnosis.of_computer(limits.temperature_warn_c)


def _senses(perceiver: Perceiver) -> list[Modality]:
    """Those of the bundle that are in use."""
    return [perceiver.bundle.manifest.modality(sense) for sense in perceiver.senses]


def _described(perceiver: Perceiver) -> str:
    """What was loaded, in one line."""
    manifest, labels = perceiver.bundle.manifest, perceiver.labels
    shown = ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
    backends = ", ".join(f"{graph} {backend}" for graph, backend in perceiver.backends.items())
    return f"bundle {manifest.name}, senses {', '.join(perceiver.senses)}; labels {shown}; backends {backends}"
