"""Candidate `fine-tune`: the last blocks of the backbone, trained for one skill from cached activations."""
