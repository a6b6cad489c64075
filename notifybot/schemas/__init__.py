"""Requests and responses of the API; each field is defined once."""
