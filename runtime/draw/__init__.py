"""Draws predictions, tracks, lines and zones on frames."""
