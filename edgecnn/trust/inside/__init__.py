"""The graph inside a model file, and the values of its tensors for an input: one file for each format."""
