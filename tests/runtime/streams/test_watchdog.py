"""The watchdog's states, with a device made of a script."""

import queue
import threading

import cv2
import pytest
from sound_server import until

from edgefuse.runtime.errors import BrokenFileError, EndOfFileError, SampleError, StreamError
from edgefuse.runtime.streams.watchdog import Patience, Watchdog

QUICK = Patience(first_sample_s=0.3, stalled_after_s=0.1, lost_after_s=0.3, retry_first_s=0.01, retry_longest_s=0.05)


class ScriptedDevice:
    """A device whose `samples` the test feeds; an exception among them is raised."""

    name = "scripted device"

    def __init__(self) -> None:
        self.samples: queue.Queue[str | Exception] = queue.Queue()
        self.refuses: Exception | None = None
        self.opened = 0
        self.open_now = False

    def open(self) -> None:
        self.opened += 1
        if self.refuses is not None:
            raise self.refuses
        self.open_now = True

    def read(self) -> str | None:
        try:
            sample = self.samples.get(timeout=0.02)
        except queue.Empty:
            return None
        if isinstance(sample, Exception):
            raise sample
        return sample

    def close(self) -> None:
        self.open_now = False


@pytest.fixture
def device():
    return ScriptedDevice()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def ended():
    return threading.Event()


@pytest.fixture
def watchdog(device, heard, ended):
    watchdog = Watchdog(device, heard.append, ended.set, QUICK)
    yield watchdog
    watchdog.stop()
    assert not device.open_now


def test_it_starts_and_lives(watchdog, device, heard):
    watchdog.start()
    assert watchdog.state == "starting"
    device.samples.put("a")
    until(lambda: heard == ["a"])
    assert watchdog.state == "live"
    assert watchdog.samples == 1


def test_a_device_that_cannot_be_opened_at_first_is_an_error(watchdog, device, ended):
    device.refuses = StreamError("there is no such device")
    with pytest.raises(StreamError, match="there is no such device"):
        watchdog.start()
    assert ended.is_set()
    assert watchdog.state == "ended"


def test_silence_is_a_stall_and_then_a_loss(watchdog, device, heard):
    watchdog.start()
    device.samples.put("a")
    until(lambda: watchdog.state == "stalled")
    until(lambda: watchdog.state in ("lost", "reconnecting"))
    assert "sent nothing for 0.3 s" in watchdog.error
    device.samples.put("b")
    until(lambda: watchdog.state == "live")
    assert watchdog.reconnects == 1
    assert heard == ["a", "b"]


def test_a_stall_that_passes_is_no_loss(watchdog, device, heard):
    watchdog.start()
    device.samples.put("a")
    until(lambda: watchdog.state == "stalled")
    device.samples.put("b")
    until(lambda: watchdog.state == "live")
    assert watchdog.reconnects == 0
    assert device.opened == 1


def test_it_tries_for_ever_and_comes_back(watchdog, device, heard):
    watchdog.start()
    device.samples.put("a")
    until(lambda: watchdog.state == "live")
    device.refuses = StreamError("unplugged")
    device.samples.put(StreamError("gone"))
    until(lambda: device.opened > 10)
    assert watchdog.error == "unplugged"
    device.refuses = None
    device.samples.put("b")
    until(lambda: watchdog.state == "live")
    assert watchdog.reconnects == 1
    watchdog.raise_failure()


def test_the_end_of_a_file_is_no_error(watchdog, device, ended):
    watchdog.start()
    device.samples.put(EndOfFileError())
    assert ended.wait(5)
    watchdog.raise_failure()
    assert watchdog.state == "ended"


@pytest.mark.parametrize(
    "raised",
    [ZeroDivisionError("bug"), MemoryError(), cv2.error("Unknown\n C++ exception"), ValueError("no"), EOFError()],
)
def test_whatever_a_library_raises_is_a_loss_that_is_said_and_tried_again(watchdog, device, heard, raised):
    watchdog.start()
    device.samples.put("a")
    until(lambda: heard == ["a"])
    device.samples.put(raised)
    device.samples.put("b")
    until(lambda: heard == ["a", "b"])
    assert watchdog.reconnects == 1
    assert watchdog.error.startswith(f"scripted device failed: {type(raised).__name__}")
    assert "\n" not in watchdog.error


def test_whatever_a_library_raises_at_first_is_one_line(watchdog, device):
    device.refuses = MemoryError()
    with pytest.raises(StreamError, match=r"^scripted device failed: MemoryError$"):
        watchdog.start()


def test_a_sample_of_no_use_is_skipped_counted_and_said_once_for_each_kind(watchdog, device, heard, caplog):
    watchdog.start()
    for number in range(3):
        device.samples.put(SampleError(f"holds {number} bytes"))
    device.samples.put(SampleError("is damaged"))
    device.samples.put("a")
    until(lambda: heard == ["a"])
    assert (watchdog.broken, watchdog.samples, watchdog.reconnects) == (4, 1, 0)
    assert watchdog.skipped == "is damaged"
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(": it ")[2] for line in said] == ["holds 0 bytes", "is damaged"]
    watchdog.stop()
    assert caplog.messages[-1] == "scripted device: 4 samples could not be used; the last: it is damaged"


def test_a_device_that_sends_only_what_is_of_no_use_is_lost_with_the_reason(watchdog, device):
    watchdog.start()
    device.samples.put(SampleError("is damaged"))
    until(lambda: watchdog.state in ("lost", "reconnecting"))
    assert watchdog.error.endswith("has sent nothing that can be used for 0.3 s: the last is damaged")


def test_a_file_that_breaks_off_is_not_opened_again(watchdog, device, ended):
    watchdog.start()
    device.samples.put(BrokenFileError("it is cut off"))
    assert ended.wait(5)
    with pytest.raises(StreamError, match="it is cut off"):
        watchdog.raise_failure()
    assert device.opened == 1


def test_what_is_raised_where_samples_go_is_no_fault_of_the_device(device, ended):
    def deliver(sample: str) -> None:
        raise ZeroDivisionError("a bug of whoever takes them")

    watchdog = Watchdog(device, deliver, ended.set, QUICK)
    watchdog.start()
    device.samples.put("a")
    assert ended.wait(5)
    with pytest.raises(ZeroDivisionError):
        watchdog.raise_failure()


def test_stopping_before_starting_opens_nothing(watchdog, device):
    watchdog.stop()
    watchdog.start()
    assert device.opened == 0
