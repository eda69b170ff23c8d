"""Quipu: the robot memory ledger."""
