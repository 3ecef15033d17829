"""Signals of sensors and sound: CSV and WAV files, their windows, and a generator of bearing vibrations. NumPy only."""
