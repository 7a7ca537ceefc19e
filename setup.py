"""Entry point for pip, which refuses a project that has only a setup.cfg; everything is declared there."""

from setuptools import setup

setup()
