"""The calls of each framework, with the claim of what each means."""
