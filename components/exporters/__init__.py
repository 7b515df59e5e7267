"""Containers of the exporters: one module each, named like the scrape job."""
