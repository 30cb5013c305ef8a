"""What no rule takes away, whatever its order: errors and server errors. Slices add their reads."""

from reflexarc.events.reads import Read

# https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and the name before it.
_SERVER_ERRORS = (
    'attributes["http.response.status_code"] >= 500',
    'attributes["http.status_code"] >= 500',
)

GUARDS = (
    Read(who="errors", signal="traces", conditions=("status.code == STATUS_CODE_ERROR",)),
    Read(who="server errors", signal="traces", conditions=_SERVER_ERRORS),
    Read(who="errors", signal="logs", conditions=("severity_number >= SEVERITY_NUMBER_ERROR",)),
    Read(who="server errors", signal="logs", conditions=_SERVER_ERRORS),
)
