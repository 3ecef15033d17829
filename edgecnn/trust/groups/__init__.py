"""Which groups of images or objects a model serves worse: by a column, a folder, or a measured property."""
