"""What a model was trained and calibrated on, in numbers that a stream can be compared with: light, sharpness, colour, what it says."""
