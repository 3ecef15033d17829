"""Fine-tunes a detector for one camera: frames, pseudo-labels, training, export, and the comparison with the model as it was."""
