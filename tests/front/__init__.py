"""What stands before and behind the service: nginx with the shipped settings, PgBouncer, certificates."""
