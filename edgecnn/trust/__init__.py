"""Is the deployed file still right? Accuracy in detail, robustness, groups, shortcuts, attacks, drift and the gate, on any model file."""
