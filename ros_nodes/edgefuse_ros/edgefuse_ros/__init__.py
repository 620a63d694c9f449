"""ROS 2 nodes over edgefuse.runtime: they move samples and percepts, and leave perceiving to the perceiver.

One frame's way: `inputs.py` (a subscription) or `pump.py` (a device) -> `perceiver_thread.py` (a perceiver at work) ->
`publishing.py` (the topic `percepts`); `lifecycle.py` says when.
"""
