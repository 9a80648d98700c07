"""
Logs: one JSON object a line on standard error, with the ids that the context carries.

`bind(job_id=…)` adds to every line that follows in the same task. Values whose key
names a secret are replaced before anything is written.
"""

import logging
import sys

import structlog

_HIDDEN = ("secret", "token", "authorization", "api_key", "password", "link_key")

bind = structlog.contextvars.bound_contextvars
get = structlog.get_logger


def configure(process: str, level: str) -> None:
    """Send our lines and the libraries' warnings to standard error as JSON."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide,
            structlog.processors.format_exc_info,
            lambda _logger, _method, event: {"process": process, **event},
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def _hide(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    for key in event:
        if any(word in key.lower() for word in _HIDDEN):
            event[key] = "***"
    return event


class _Forward(logging.Handler):
    """Turns the standard library's records into our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )
