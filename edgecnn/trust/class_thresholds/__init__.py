"""Chooses from which score boxes of each class are shown, on images that the training did not see."""
