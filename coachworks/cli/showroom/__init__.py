"""A showroom that draws itself: photos of cars that never were, with a table of labels and a fleet file."""
