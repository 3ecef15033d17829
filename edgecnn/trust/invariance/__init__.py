"""Accuracy against transformations of the image: rotation, shift, scale, occlusion, light, blur, noise, compression, weather."""
