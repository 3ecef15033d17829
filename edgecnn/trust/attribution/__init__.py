"""Attribution: which pixels of an image a model's answer depends on, for any file; the maps that need gradients are in gradients/."""
