"""Comparisons of measurements: records of `edgecnn benchmark`, model files measured in alternation, and their history."""
