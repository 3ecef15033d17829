"""Drawn images of three classic shortcuts: stars and moons, X-rays with a tag, cars under a blue sky."""
