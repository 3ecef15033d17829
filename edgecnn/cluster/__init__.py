"""Runs, evaluations and benchmarks on several machines with Ray; ``ray`` is imported only when one is asked for."""
