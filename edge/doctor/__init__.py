"""What is wrong with this gate, and what to do about it: ``maskgate doctor``."""
