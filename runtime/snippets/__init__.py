"""Writes short programs that run one model file with its engine alone, without edgecnn."""
