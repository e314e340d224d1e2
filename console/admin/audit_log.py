"""The audit log, for administrators and supervisors to read."""

from __future__ import annotations

from console.http.messages import Request, Response
from console.http.routes import route
from console.people.roles import Role

_SHOWN = 200


@route("/audit", roles=(Role.ADMIN, Role.SUPERVISOR), nav="nav.audit", nav_order=80)
async def audit_log(request: Request) -> Response:
    """Show the last acts: ?who=…&what=… narrow them down; ?verify=1 tells whether the whole log is as written."""
    who, what = request.args.get("who", "").strip(), request.args.get("what", "").strip()
    acts = await request.parts.audit.last(_SHOWN, who, what)
    verified = await request.parts.audit.verified() if request.args.get("verify") else None
    return request.page("admin/audit.html", acts=acts, who=who, what=what, most=_SHOWN, verified=verified)
