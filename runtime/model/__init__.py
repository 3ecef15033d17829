"""Model files ready to use: card, predictor, autotuning, preloading, self-test."""
