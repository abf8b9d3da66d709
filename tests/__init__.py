"""The tests. A package, so that its name means this folder: an installed package has taken it too."""
