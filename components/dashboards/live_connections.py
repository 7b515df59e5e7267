"""What lasts longer than a request: WebSockets, streams and background tasks of the backend."""

from components.dashboards.faults import HEIGHT, Lines, Panels, bands

BANDS_HEIGHT = 2 * HEIGHT


def panels_at(y: int, by_target: str) -> Panels:
    """Two bands of 9 rows from row `y` on, of the backends that `by_target` selects."""

    def rate(series: str, by: str) -> str:
        return f"sum by ({by}) (rate({series}{by_target}[$__rate_interval]))"

    def within_15_minutes(series: str) -> str:
        return f"sum by (endpoint) (increase({series}{by_target}[15m]))"

    no_socket, no_stream = "The backend reports no WebSocket", "No stream yet"
    return bands(
        y,
        Lines(
            "WebSockets open",
            "WebSocket connections open now. A fall of nearly all that does not come back: "
            "WebSocketsLost, if 10 or more were open.",
            ((f"sum by (instance) (websocket_connections_active{by_target})", "{{instance}}"),),
            empty=no_socket,
        ),
        Lines(
            "WebSocket messages",
            "Messages a second, received from clients and sent to them. Sent ones that stop while "
            "sockets are open: screens stand still.",
            ((rate("websocket_messages_total", "direction"), "{{direction}}"),),
            "cps",
            no_socket,
        ),
        Lines(
            "WebSockets closed",
            "WebSockets that ended a minute, by code, and those refused. 1000 and 1001 are good "
            "order, 1006 a connection that broke, 1011 a handler that failed "
            "(WebSocketsClosingAbnormally).",
            (
                (f"60 * {rate('websocket_closed_total', 'code')}", "{{code}}"),
                (
                    f"60 * sum(rate(websocket_rejected_total{by_target}[$__rate_interval]))",
                    "refused",
                ),
            ),
            "suffix:/min",
            no_socket,
        ),
        Lines(
            "Streams open",
            "Answers that are being streamed now: server-sent events, downloads. Growth without "
            "end: clients that are gone and not noticed.",
            ((f"sum by (endpoint) (http_streams_active{by_target})", "{{endpoint}}"),),
            empty=no_stream,
        ),
        Lines(
            "Streams broken",
            "Streams that failed after they had begun, within 15 minutes. More than 5 in 5 "
            "minutes: StreamsBreaking.",
            ((within_15_minutes("http_stream_failures_total"), "{{endpoint}}"),),
            empty=no_stream,
        ),
        Lines(
            "Background tasks failed",
            "Tasks that failed after their answer was sent, within 15 minutes. No client noticed.",
            ((within_15_minutes("background_task_failures_total"), "{{endpoint}}"),),
            empty="None failed",
        ),
    )
