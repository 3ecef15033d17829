"""The file on disk against the PyTorch model: parity, diagnosis, goldens, accuracy."""
