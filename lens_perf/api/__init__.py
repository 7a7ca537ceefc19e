"""The HTTP API: views, schemas, parameters and error responses."""
