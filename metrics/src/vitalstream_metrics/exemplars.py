"""Exemplars: the trace of one observation, where OpenTelemetry is active."""

import sys
from typing import Any


def trace_exemplar() -> dict[str, str] | None:
    """Return `trace_id` and `span_id` of the current span, if it is sampled; else None.

    Only for applications that have imported OpenTelemetry: it is not a dependency.
    """
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span()
    if span is trace.INVALID_SPAN:
        return None
    context = span.get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return {
        "trace_id": format(context.trace_id, "032x"),
        "span_id": format(context.span_id, "016x"),
    }
