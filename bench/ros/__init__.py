"""What percepts cost across ROS nodes. Only what runs in a process of its own imports rclpy."""
