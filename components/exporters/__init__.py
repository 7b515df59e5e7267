"""The exporters' containers: one module each, named like the scrape job."""
