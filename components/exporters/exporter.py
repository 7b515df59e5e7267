"""What the containers of several exporters share."""

# For an exporter that connects to the application. Where a network has no way out, Docker's
# resolver does not answer for a name that is gone, and by resolv.conf's default one waits 10 s for
# it: as long as a scrape may take. Prometheus then reports the exporter of a dead database as dead.
QUICK_LOOKUPS = ("timeout:1", "attempts:2")
