"""Loads model files: card, prediction, autotuning, preloading, self-test."""
