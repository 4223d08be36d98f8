"""The fleet file: one model that validates it, and a reader that knows the line of every value."""
