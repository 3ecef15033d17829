"""Measures latency, throughput, memory and accuracy of model files, each in a process of its own."""
