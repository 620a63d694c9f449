"""ROS 2 nodes over edgefuse.runtime: they move samples and percepts, and leave perceiving to the perceiver.

One frame's way: `inputs.py` (a subscription) or `pump.py` (a device) -> `conversions.py` -> `perception.py` (the
perceiver and its thread) -> `conversions.py` -> the topic `percepts`.
"""
