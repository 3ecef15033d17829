"""Boards that are reached by SSH: benchmarks, runs and services there, from here."""
