"""The audit log, for administrators and supervisors to read."""

from __future__ import annotations

from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.visit import Visit

_SHOWN = 200


@route("/audit", roles=(Role.ADMIN, Role.SUPERVISOR), nav="nav.audit", nav_order=80)
async def audit_log(visit: Visit) -> Response:
    """Show the last acts: ?who=…&what=… narrow them down; ?verify=1 tells whether the whole log is as written."""
    who, what = visit.args.get("who", "").strip(), visit.args.get("what", "").strip()
    acts = await visit.console.audit.last(_SHOWN, who, what)
    verified = await visit.console.audit.verified() if visit.args.get("verify") else None
    return visit.page("admin/audit.html", acts=acts, who=who, what=what, most=_SHOWN, verified=verified)
