"""Scale tests: memory, startup, claims, lateness and queries with a million waiting messages; 100,000 deliveries."""
