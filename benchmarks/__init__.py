"""Benchmarks of the stack and its instrumentation, each measured beside a baseline."""
