"""Structured logs: one event a line with the request's id; names, numbers, tokens and passwords never enter."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import structlog


def configure(style: str) -> None:
    """Log as `json` (one object a line) or as `text` for people; other libraries' logs come out the same way."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_values,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def without_values(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take the values out of the database's errors: what it could not store is somebody's name or e-mail address."""
    error = event.get("exc_info")
    for one in _with_causes(sys.exception() if error is True else error[1] if isinstance(error, tuple) else error):
        if isinstance(one, asyncpg.PostgresError):
            one.detail = None
        if isinstance(one, asyncpg.DataError):
            one.args = ("a value was not of its type",)
    return event


def _with_causes(error: Any) -> Iterator[BaseException]:
    """An error, what caused it, and what they wrap."""
    waiting, seen = [error], set()
    for one in waiting:  # grows while it is walked
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__, *one.args]
            yield one
