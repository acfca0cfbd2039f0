"""A stand-in for ERPNext; see the README beside it."""

__version__ = "15.0.0-stand-in"
