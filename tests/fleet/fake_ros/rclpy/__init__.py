"""Stands for ROS where the fleet's command is tried without it."""
