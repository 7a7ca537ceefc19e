"""Programs around the service: nginx with the shipped settings, PgBouncer, PostgreSQL servers, certificates."""
