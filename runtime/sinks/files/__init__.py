"""Outputs to files: video, clips, images, JSON lines, CSV, MOT text, COCO results."""
