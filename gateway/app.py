"""The application: its routes, and how what goes wrong is answered."""

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from chassis.errors import Fault
from chassis.foreign import Guard
from chassis.identity import Remembered
from gateway import problem
from gateway.access import identified, resolver
from gateway.crowd import Crowds
from gateway.describe import describe
from gateway.direct import Direct
from gateway.edge import Edge
from gateway.render import Renderer
from gateway.routes import (
    files,
    health,
    jobs,
    language,
    models,
    pages,
    presets,
    references,
    variants,
    webhooks,
)
from gateway.services import Services
from gateway.settings import Settings
from gateway.sse import Streams

_ABOUT = """One request, many image models, every picture kept for good.

Ids are numbers as text, money is US dollars, times are RFC 3339, errors are
application/problem+json with a `code` and, in `detail`, what to do."""


def routes() -> FastAPI:
    """Make the application without what it stands on: enough to describe it."""
    app = FastAPI(
        title="Image Studio",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead from https to http, behind a proxy
        telemetry=None,
    )
    whose = (jobs, references, variants, presets, models, language)
    for router in (each.router for each in whose):
        app.include_router(router, dependencies=[Depends(identified)])
    for router in (files.router, health.router, pages.router, webhooks.router):
        app.include_router(router)
    app.add_exception_handler(Exception, problem.on_defect)
    app.add_exception_handler(Fault, problem.on_fault)
    app.add_exception_handler(HTTPException, problem.on_http)
    app.add_exception_handler(RequestValidationError, problem.on_invalid)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def build(settings: Settings, services: Services, streams: Streams) -> ASGIApp:
    """Make the application as it is served."""
    app = routes()
    app.state.settings = settings
    app.state.services = services
    app.state.streams, app.state.crowds = streams, Crowds()
    app.state.render = Renderer(settings.public_url)
    app.state.resolve = Remembered(resolver(services.ledger, settings.auth))
    return Edge(Direct(app), Guard(settings.public_url, settings.auth), streams)
