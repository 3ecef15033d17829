"""Where results go: annotated video, JSON lines, a window."""
