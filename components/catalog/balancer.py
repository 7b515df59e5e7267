"""The balancer in front of several Grafanas: its name and ports."""

SERVICE = "grafana-lb"
PORT = 3000
METRICS_PORT = 8405
