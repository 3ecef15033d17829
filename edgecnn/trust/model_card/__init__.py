"""`edgecnn model-card`: the model card that people read, made of the file's own card, of measurements, and of what only people know."""
