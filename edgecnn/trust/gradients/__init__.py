"""What needs gradients, and so PyTorch: imported only when a PyTorch model is examined."""
