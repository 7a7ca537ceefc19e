"""The dashboard and the docs page in a real Chromium, over a real service."""
