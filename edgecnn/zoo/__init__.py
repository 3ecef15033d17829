"""Models of other people: a register of where they are, and `edgecnn models get`, which makes one usable by name."""
