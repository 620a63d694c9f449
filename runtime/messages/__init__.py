"""ROS 2 messages without ROS: samples and percepts as bytes, a robot's images and sounds as samples."""
