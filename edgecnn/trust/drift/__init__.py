"""Has the camera left what the model was trained on? A stream is compared with the reference profile of its model, while it runs."""
