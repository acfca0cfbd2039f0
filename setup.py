"""For tools that run it. What the project is stands in pyproject.toml."""

from setuptools import setup

setup()
