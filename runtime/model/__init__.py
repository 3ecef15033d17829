"""A model file ready to use: its card, its predictor, the number of threads, its self-test."""
