"""A simulated robot whose recordings look like a real one's."""
