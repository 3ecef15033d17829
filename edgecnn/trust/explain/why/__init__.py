"""For one image: why a model says this class, and what would change its answer."""
