"""A small backend with invented patients, and its traffic, so that every panel shows something."""
