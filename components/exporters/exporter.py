"""Properties that several exporters' containers share."""

# DNS options of an exporter that connects to the application. In a network without a route out,
# Docker's resolver does not answer for a removed name, and resolv.conf's default timeout is 10 s:
# as long as a scrape may take. Prometheus then reports the exporter of a dead database as dead.
QUICK_LOOKUPS = ("timeout:1", "attempts:2")
