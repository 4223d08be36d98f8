"""The showroom of `coachworks demo`: drawn photos of cars, a table of labels and a fleet file."""
