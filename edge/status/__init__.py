"""A page that the device itself serves: how the gate is, for people and for Prometheus."""
