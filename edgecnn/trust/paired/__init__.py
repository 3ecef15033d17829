"""Before and after: what changed between two files of one model, image by image, class by class, and whether that is more than chance."""
