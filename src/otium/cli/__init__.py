"""The command line: the library's words, said in a shell.

Knows how to parse, call one function and print. Decides nothing. Writes to the terminal.

>>> main(["--version"])
Traceback (most recent call last):
SystemExit: 0
"""

from otium.cli.app import main

__all__ = ["main"]
