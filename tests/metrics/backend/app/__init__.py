"""A backend with a package of its own that is called `app`."""
