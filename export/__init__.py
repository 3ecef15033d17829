"""A trained torch model to verified artifacts: one file per format, one for calibration, one for parity."""
