"""Readers for the layouts people keep mask photographs in, and the split that never leaks."""
