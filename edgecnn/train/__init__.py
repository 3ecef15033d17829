"""Training: loops, losses, assignment, resumable state, plots."""
