"""Bags that another recorder writes, committed while it writes them."""
