"""``python -m train.studio``: the same as ``maskgate-studio``."""

from __future__ import annotations

from train.studio.cli import main

if __name__ == "__main__":
    main()
