"""Stands for the nodes where the fleet's command is tried without ROS."""
