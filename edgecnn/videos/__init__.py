"""Opening video files and streams, and reading their frames with time stamps: one rule for `run` and datasets."""
