"""A pump lets go of its stream whenever it is closed."""

import threading

from edgefuse.runtime import DEFAULT_CLIP, Clip


def test_it_ends_also_when_it_is_closed_while_the_stream_is_being_opened(ros_installed):
    from rclpy.impl.rcutils_logger import RcutilsLogger

    from edgefuse_ros.faults import Faults
    from edgefuse_ros.pump import Pump

    opening, closing = threading.Event(), threading.Event()

    def open_clip() -> Clip:
        opening.set()
        closing.wait(0.5)  # `close` has begun long before
        return Clip(DEFAULT_CLIP, None)

    pump = Pump("camera", open_clip, lambda sample: None, Faults(RcutilsLogger(name="test")))
    opening.wait()
    pump.close()
    assert "pump of camera" not in {thread.name for thread in threading.enumerate()}
