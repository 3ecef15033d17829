"""From raw outputs to a prediction: one decoder per file, found by the name that the card gives."""
