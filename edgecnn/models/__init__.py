"""The small CNNs and their checkpoints; torch is imported only when one is built or loaded."""
