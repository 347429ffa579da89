"""Comparing the speed of two implementations of one thing."""
