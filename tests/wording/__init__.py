"""Checks public text against the list of discouraged words."""
