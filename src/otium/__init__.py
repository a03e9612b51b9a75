"""otium: the system of record for the end of a model's deployed life."""

__version__ = "0.1.0"
