"""Run ``python -m otium``."""

from otium.cli import main

if __name__ == "__main__":
    main()
