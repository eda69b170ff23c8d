"""Recording: messages in, rosbag2 segments out, committed to the log while they grow."""
