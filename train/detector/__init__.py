"""The face detector: its network, its targets and loss, the pictures it learns from."""
