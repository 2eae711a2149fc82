"""What happened at the gate, kept through power cuts: verdicts and incidents, never pictures.

Evidence pictures, for those who switch them on, are files beside it.
"""
