"""Tables, states, enums, ids and actors."""
