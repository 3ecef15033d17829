"""Latency and throughput by the definitions of other benchmark tools, under the names that those tools use."""
