"""Random schedules of writers and polling clients, and the conditions that must hold after each."""
