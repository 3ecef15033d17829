"""Chooses which file of a model to run on this device, in which engine, precision and number of threads."""
