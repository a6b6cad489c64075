"""Tables, states, SQL conditions, enums, ids and actors."""
