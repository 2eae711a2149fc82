"""``python -m train evaluate``: how good a network is on pictures it never saw."""
