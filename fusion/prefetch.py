"""The next batches, made while the network learns from this one."""

import queue
import threading
from collections.abc import Iterator
from typing import Protocol

from edgefuse.fusion.batch import Batch


class Batches(Protocol):
    """What batches are drawn from."""

    def draw(self) -> Batch: ...


def ahead(batches: Batches, count: int, depth: int = 4) -> Iterator[Batch]:
    """`count` batches, made on a thread of its own while the network learns; the thread ends with the iteration."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(depth)
    stop = threading.Event()

    def offer(item: Batch | BaseException) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.2)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for _ in range(count):
                if stop.is_set():
                    return
                offer(batches.draw())
        except BaseException as error:  # handed to the thread that waits
            offer(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        for _ in range(count):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
