"""A live demonstration on one machine: an embedded PostgreSQL and a small model that really trains."""
