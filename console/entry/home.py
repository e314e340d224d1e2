"""The way in: the home of each role, own files, and the event stream."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path

from console.errors import BadInput, NotFound
from console.http.event_stream import event_stream
from console.http.events import TOPICS, Viewer
from console.http.messages import Response
from console.http.routes import navigation, route
from console.people.roles import ALL_ROLES
from console.visit import Visit

STATIC = Path(__file__).parent.parent / "static"
_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@route("/", roles=ALL_ROLES)
async def home(visit: Visit) -> Response:
    """Send everybody to the first page of their role."""
    assert visit.role is not None
    pages = [one for one in navigation(visit.role) if one.path != "/home"]
    first = pages[0] if pages and pages[0].nav_order < OWN_PAGES else None
    return visit.go(first.path if first else "/home")


# from here on in the navigation come pages that are nobody's work: accounts, audit log
OWN_PAGES = 60


@route("/home", roles=ALL_ROLES)
async def start(visit: Visit) -> Response:
    """Show what the role may do."""
    return visit.page("home.html")


@route("/static/<name>", is_public=True, is_impersonal=True)
async def static(visit: Visit) -> Response:
    """Give a file of ours."""
    name = visit.args["name"]
    if name not in {path.name for path in STATIC.iterdir()}:
        raise NotFound
    kind = _KINDS.get(Path(name).suffix) or guess_type(name)[0] or "application/octet-stream"
    answer = visit.file(STATIC / name, kind)
    return Response(content_type=kind, headers=(("Cache-Control", "no-cache"),), stream=answer.stream)


@route("/events", roles=ALL_ROLES)
async def events(visit: Visit) -> Response:
    """Stream what happens: ?topics=call,order; only what the role may hear."""
    topics = frozenset(visit.args.get("topics", "").split(","))
    if not topics or topics - TOPICS.keys():
        raise BadInput(visit.t("error.topics", topics=", ".join(TOPICS)))
    assert visit.account is not None
    assert visit.session is not None
    viewer = Viewer(visit.account.role, visit.unit_id, visit.account.name, visit.session.key)
    last_seen = visit.headers.get("last-event-id", "") or visit.args.get("last_seen", "")
    hub = visit.console.events
    return event_stream(hub, lambda sink: hub.join(sink, topics, viewer, last_seen))
