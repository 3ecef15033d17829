"""Training: one engine, two objectives (classify, detect), resumable state, plots."""
