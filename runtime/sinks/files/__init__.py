"""Outputs that are files: video, clips, pictures, JSON lines, CSV, MOT and COCO text."""
