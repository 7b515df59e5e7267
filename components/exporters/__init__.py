"""The exporters' containers: one module each, by the name of its kind of service."""
