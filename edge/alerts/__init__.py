"""From the gate's state to the world: every output has a level for every state, and a limit."""
