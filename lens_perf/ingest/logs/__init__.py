"""Readers of what training programs print, each framework's dialect a declaration."""
