"""HTTP server plumbing: listeners, connections, routing guard, request bodies and error responses."""
