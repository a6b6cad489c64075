"""What a million waiting messages cost: memory, start, claims, lateness, queries; and a hundred thousand deliveries."""
