"""From cameras to results: capture threads, shared workers, the frame ledger and what was measured."""
