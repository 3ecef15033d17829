"""Draws predictions, trails, lines and zones on frames."""
