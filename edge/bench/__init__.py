"""How fast a board is, measured stage by stage, and compared with what was measured before."""
