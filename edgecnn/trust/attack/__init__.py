"""Accuracy under attack: noise, gradients of the checkpoint, queries of the file alone, and what smoothing certifies."""
