"""What the machine is and how it fares: read from files and tools that may all be missing."""
