"""Schedules of writers and polling clients, and what must hold after each."""
