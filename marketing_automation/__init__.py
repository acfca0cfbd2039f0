"""Lifecycle marketing inside ERPNext: the right message to each customer at the right time, once."""

__version__ = "0.1.0"
