"""The picture of the house, as files."""
