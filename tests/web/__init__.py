"""The dashboard and the docs page in a real Chromium, with a real service."""
