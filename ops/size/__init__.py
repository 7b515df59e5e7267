"""Sizing: samples a second, memory, CPU and disk for a number of series, and the settings."""
