"""gunicorn's worker: receives requests from clients of every speed and passes them to the application."""
