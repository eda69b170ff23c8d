"""Experiences: from a recording on disk to an entry of the log, and back."""
