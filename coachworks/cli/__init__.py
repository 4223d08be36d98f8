"""The `coachworks` command."""
