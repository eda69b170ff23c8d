"""Quipu: the robot memory ledger."""

__version__ = "0.1.0"
