"""ROS 2 nodes over edgefuse.runtime: they move samples and percepts, and leave perceiving to the perceiver.

One frame's way: `inputs.py` (a subscription) or `pump.py` (a device) -> `conversions.py` -> `perception.py` (the
perceiver and its thread) -> `conversions.py` -> the topic `percepts`.
"""

import sys
from importlib.util import find_spec

if find_spec("edgefuse") is None:  # in whatever terminal or service the virtual environment was not activated
    print(f"edgefuse_ros: no edgefuse in {sys.executable}: activate the environment that has it", file=sys.stderr)
    sys.exit(2)
