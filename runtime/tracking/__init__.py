"""Who is who from frame to frame: multi-object tracking."""
