"""``python -m edge`` is ``maskgate``."""

from edge.cli import main

if __name__ == "__main__":
    main()
