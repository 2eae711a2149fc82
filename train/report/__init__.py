"""Numbers and pictures about how good a network is."""
