"""Readers of datasets, one per format; ``edgecnn.data.recognition`` names the one for a folder."""
