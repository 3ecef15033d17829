"""Runs models on images and cameras without torch: backends, sources, pipeline, sinks, live view."""
