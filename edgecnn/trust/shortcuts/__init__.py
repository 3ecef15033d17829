"""Shortcuts: does the network look at the object? Changed images, and attribution against the objects' boxes."""
