"""From an image of Raspberry Pi OS and one configuration to the card of a working gate."""
