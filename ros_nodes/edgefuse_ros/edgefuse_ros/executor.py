"""The executor of a node: messages in one thread, services beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from rclpy.executors import Executor, ShutdownException, TimeoutException
from rclpy.service import Service

_SERVICES_AT_ONCE = 2  # one that loads a bundle, and one that asks meanwhile how it is going


class BesideExecutor(Executor):
    """Runs messages, timers and events in the thread that spins, and services, which may load a bundle, beside it.

    One thread for all messages: they are only converted and handed over, and more threads would make every one later.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(_SERVICES_AT_ONCE, "service")
        self._beside: list[Future[None]] = []

    def beside(self, act: Callable[[], None]) -> None:
        """Run this beside the messages; what it raises ends the spinning."""
        self._beside.append(self._pool.submit(act))
        self._beside[-1].add_done_callback(lambda _: self.wake())

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
        self._pool.shutdown()
        return super().shutdown(timeout_sec)


def _run(handler: Callable[[], None]) -> None:
    handler()
    handler.result()  # type: ignore[attr-defined]  # a rclpy Task keeps what its callback raised
