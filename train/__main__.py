"""``python -m train``."""

from __future__ import annotations

from train.cli import main

main()
