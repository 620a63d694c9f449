"""What the perception node and the onboard node have in common: a lifecycle around one perception."""

from __future__ import annotations

import gc
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from edgefuse.runtime import EdgefuseError, Perceiver, Percept
from edgefuse.runtime.manifest import Modality
from edgefuse_msgs.msg import Percept as PerceptMessage
from edgefuse_msgs.srv import SetPrompts
from edgefuse_ros import profiles
from edgefuse_ros.bundles import bundle_id, fuse_on, max_age_ms, open_perceiver
from edgefuse_ros.classifications import Classifications
from edgefuse_ros.clock import RosClock
from edgefuse_ros.conversions import percept_from_percept
from edgefuse_ros.diagnosis import Diagnosis
from edgefuse_ros.faults import Faults, RosLogging
from edgefuse_ros.parameters import Parameters
from edgefuse_ros.perception import Perception
from edgefuse_ros.settings import PerceptionSettings

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class PerceiverNode(LifecycleNode, ABC):
    """configure loads the bundle, activate starts, deactivate frees the CPU, cleanup the memory.

    `now_ns` is the perceiver's clock.
    """

    def __init__(self, name: str, model: type[PerceptionSettings]) -> None:
        super().__init__(name)
        self.clock = RosClock(self)
        self.faults = Faults(self.get_logger())
        self.perception: Perception | None = None
        self.now_ns: Callable[[], int] = self.clock.now_ns
        self.parameters = Parameters(self, model)
        self.settings = self.parameters.read()
        self._bundle_id = ""
        self._withheld = 0
        self._failure: str | None = None
        self.diagnosis = Diagnosis(self, self.faults)
        self._percepts = profiles.publisher(self, PerceptMessage, "percepts", profiles.PERCEPT)
        self._classifications = Classifications(self)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(SetPrompts, "~/set_prompts", self._set_prompts)
        self.create_timer(1.0, self._every_second, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.add_on_set_parameters_callback(self._on_set_parameters)
        logging.getLogger("edgefuse").addHandler(RosLogging(self.get_logger()))

    @abstractmethod
    def open_sources(self) -> None:
        """Begin to push samples into `perception`."""

    @abstractmethod
    def close_sources(self) -> None:
        """Cease; called in any state."""

    @abstractmethod
    def ros_ns(self) -> int:
        """What to add to a percept's stamp to get ROS time [ns]."""

    @abstractmethod
    def describe_sources(self) -> Iterable[str]:
        """Where each sense comes from, in words."""

    def of_sources(self) -> Iterable[DiagnosticStatus]:
        """What /diagnostics says of the sources."""
        return ()

    @property
    def senses(self) -> list[Modality]:
        """Those of the bundle that are in use."""
        assert self.perception is not None, "no senses without a perception"
        perceiver = self.perception.perceiver
        return [perceiver.bundle.manifest.modality(sense) for sense in perceiver.senses]

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
        self.perception = None
        gc.collect()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the bundle."""
        return super().on_configure(state) if self._succeeds("configure", self._load) else _FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Perceive."""
        if self._succeeds("activate", self._begin):
            return super().on_activate(state)
        self._cease()
        return _FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Cease to take and to perceive; the engines stay loaded."""
        self._cease()
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

    def swap_perceiver(self, settings: PerceptionSettings) -> None:
        """Open another perceiver and let it take over, with other sources where its senses are others.

        Raises EdgefuseError, and the old one runs on.
        """
        assert self.perception is not None, "nothing to take over from"
        before = self.senses
        perceiver = self._opened(settings)
        self.perception.swap(perceiver)
        if self.perception.started_s is not None and self.senses != before:
            self.close_sources()
            self.open_sources()

    def _load(self) -> None:
        self.settings = self.parameters.read()
        self.perception = Perception(self._opened(self.settings), self._publish, self.faults)
        self.get_logger().info(f"configured: {_described(self.perception.perceiver)}")

    def _begin(self) -> None:
        assert self.perception is not None, "active without being configured"
        self.perception.start()
        self.open_sources()
        self.get_logger().info(f"active: {'; '.join(self.describe_sources())}")

    def _cease(self) -> None:
        self.close_sources()
        if self.perception is not None:
            self.perception.stop()

    def _succeeds(self, transition: str, act: Callable[[], None]) -> bool:
        try:
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

    def _opened(self, settings: PerceptionSettings) -> Perceiver:
        perceiver = open_perceiver(settings, self.now_ns)
        self._bundle_id = bundle_id(perceiver.bundle)
        return perceiver

    def _publish(self, percept: Percept, perceiver: Perceiver) -> None:
        if percept.confidence < self.settings.min_confidence:
            self._withheld += 1
            return
        name, frame_id = perceiver.bundle.manifest.name, self.settings.frame_id or percept.frame_id
        message = percept_from_percept(percept, self.ros_ns(), frame_id, name, self._bundle_id)
        self._percepts.publish(message)
        self._classifications.publish(message)

    def _set_prompts(self, request: SetPrompts.Request, response: SetPrompts.Response) -> SetPrompts.Response:
        prompts = Parameter("prompts", Parameter.Type.STRING_ARRAY, list(request.prompts) or [""])
        (result,) = self.set_parameters([prompts])
        response.success, response.message = result.successful, result.reason
        response.labels = [] if self.perception is None else list(self.perception.perceiver.labels)
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
        settings = self.parameters.changed(changes)
        if self.perception is not None:
            self.parameters.check_live(changes)
            self._adopt_running(settings, changes, self.perception.perceiver)
        self.settings = settings

    def _adopt_running(self, settings: PerceptionSettings, changes: Collection[str], perceiver: Perceiver) -> None:
        if {"bundle", "backend", "confidence"} & set(changes):
            self.swap_perceiver(settings)
            return
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
        limits, perception = self.settings.limits, self.perception
        if perception is None or perception.started_s is None:
            yield self.diagnosis.of_state("unconfigured" if perception is None else "inactive", self._failure)
        else:
            yield from self.diagnosis.of_perception(perception, limits, self._bundle_id, self._withheld)
        yield from self.of_sources()
        yield self.diagnosis.of_faults()
        yield self.diagnosis.of_computer(limits.temperature_warn_c)


def _described(perceiver: Perceiver) -> str:
    """What was loaded, in one line."""
    manifest, labels = perceiver.bundle.manifest, perceiver.labels
    shown = ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
    backends = ", ".join(f"{graph} {backend}" for graph, backend in perceiver.backends.items())
    return f"bundle {manifest.name}, senses {', '.join(perceiver.senses)}; labels {shown}; backends {backends}"
