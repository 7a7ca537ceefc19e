"""How requests get from a socket to the application: gunicorn's worker, for clients of every speed."""
