"""One module a command: its options (`add_…`) and what runs it (`run`)."""
