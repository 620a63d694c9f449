"""The executor of a node: messages in a thread of their own, and services beside all else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rclpy.executors import Executor, ShutdownException, TimeoutException
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import QoSSubscriptionEventType
except ImportError:  # Humble
    from rclpy.qos_event import QoSSubscriptionEventType

_SERVICES_AT_ONCE = 2  # one that loads a bundle, and one that asks meanwhile how it is going


class NodeExecutor(Executor):
    """Runs one node: its timers in the thread that spins, services, which may load a bundle, beside them.

    All its messages come in one more thread, which waits for little else: rclpy looks at everything that it waits for
    anew for each message, and a node has some twenty services.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._beside: list[Future[None]] = []
        self._messages = _Messages(node)
        self._pool = ThreadPoolExecutor(1 + _SERVICES_AT_ONCE, "beside")
        self.add_node(node)
        self.beside(self._messages.spin)

    def beside(self, act: Callable[[], None]) -> None:
        """Run this in a thread beside; what it raises ends the spinning."""
        self._beside.append(self._pool.submit(act))
        self._beside[-1].add_done_callback(lambda _: self.wake())

    def can_execute(self, entity: Any) -> bool:
        """See Executor."""
        return not _is_of_messages(entity) and super().can_execute(entity)

    def wake(self) -> None:
        """See Executor; a subscription may be new."""
        super().wake()
        self._messages.wake()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """See Executor."""
        for ended in [future for future in self._beside if future.done()]:
            self._beside.remove(ended)
            ended.result()
        try:
            handler, entity, _ = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ShutdownException, TimeoutException):
            return
        if isinstance(entity, Service):
            self.beside(lambda: _run(handler))
        else:
            _run(handler)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """See Executor; what runs beside is waited for."""
        self._messages.cease()
        self._pool.shutdown()
        self._messages.shutdown()
        return super().shutdown(timeout_sec)


class _Messages(Executor):
    """Runs the messages of a node that another executor has."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._ceasing = threading.Event()

    def get_nodes(self) -> list[Node]:
        """See Executor."""
        return [self._node]

    def can_execute(self, entity: Any) -> bool:
        """See Executor."""
        return _is_of_messages(entity) and super().can_execute(entity)

    def spin(self) -> None:
        """Until `cease`, or until the process is told to end."""
        while self.context.ok() and not self._ceasing.is_set():
            self.spin_once()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """See Executor."""
        try:
            handler, _, _ = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ShutdownException, TimeoutException):
            return
        _run(handler)

    def cease(self) -> None:
        """End the spinning; from any thread."""
        self._ceasing.set()
        self.wake()


def _is_of_messages(entity: Any) -> bool:
    """A subscription or its events, which wake whoever waits for them at each message too."""
    return isinstance(entity, Subscription) or isinstance(getattr(entity, "event_type", None), QoSSubscriptionEventType)


def _run(handler: Any) -> None:
    handler()
    handler.result()  # a rclpy Task keeps what its callback raised
