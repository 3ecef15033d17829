"""Accuracy, measured on a device without torch: top-1, confusion, mAP, matching of boxes."""
