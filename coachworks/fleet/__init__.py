"""The fleet file: a model that validates it, and a reader that reports every problem with its line."""
