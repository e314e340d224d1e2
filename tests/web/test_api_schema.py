"""Schemathesis against the document that a real console serves: no 5xx, and nothing that is not documented."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from console.people.tokens import API, SCOPES, Tokens
from routing.clock import SystemClock
from tests.sip.processes import dying_with_us
from tests.web.browsers import console
from tests.web.visitors import at_once, finished

_SERVING = Path(__file__).with_name("api_serving.py")
# What a period may be, and which text names a matter, no schema can say: there 422 answers what a schema allows.
_CONFIG = """
[[operations]]
include-name = ["GET /api/v1/reports", "POST /api/v1/online-requests"]
checks.positive_data_acceptance.enabled = false
"""


def token_in(folder: Path) -> str:
    """Return a token with every scope, in the files that a console in `folder` will read."""
    (folder / "console").mkdir(parents=True)
    tokens = Tokens(folder / "console" / "tokens.json", at_once, SystemClock(), vouches=lambda maker: True)
    return str(finished(tokens.make(API, "schemathesis", 3600, scopes=SCOPES)))


@pytest.mark.parametrize("seed", [12345])
def test_every_answer_is_documented_and_none_is_an_error_of_ours(seed: int, tmp_path: Path) -> None:
    token = token_in(tmp_path / "data")
    (tmp_path / "schemathesis.toml").write_text(_CONFIG, encoding="utf-8")
    with console(tmp_path / "data", _SERVING) as served:
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run",
            f"{served['url']}/api/openapi.json", "--header", f"Authorization: Bearer {token}", "--seed", str(seed),
            "--max-examples", "10", "--phases", "examples,coverage,fuzzing,stateful",
            "--continue-on-failure", "--no-color", "--generation-database", "none", "--suppress-health-check", "all",
            "--warnings", "off", "--request-timeout", "20",
        ]  # fmt: skip
        ended = subprocess.run(
            dying_with_us(command), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
        )
    told = ended.stdout[-12_000:]
    print(told)
    assert ended.returncode == 0, told + ended.stderr[-2000:]
    tried = re.search(r"(\d+) generated", told)
    assert tried is not None
    assert int(tried[1]) > 500, "schemathesis hardly tried anything"


def test_what_is_refused_before_the_api_sees_it_is_a_problem_too(tmp_path: Path) -> None:
    token = token_in(tmp_path)
    with console(tmp_path, _SERVING) as served:
        def ask(method: str, path: str, says_bytes: int = 0) -> tuple[http.client.HTTPResponse, dict[str, object]]:
            connection = http.client.HTTPConnection(urlsplit(served["url"]).netloc, timeout=20)
            headers = {"Authorization": f"Bearer {token}", "Content-Length": str(says_bytes)}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            assert answer.headers["content-type"] == "application/problem+json"
            told = json.loads(answer.read())
            connection.close()
            return answer, told

        answer, told = ask("POST", "/api/v1/online-requests", says_bytes=1_100_000)
        assert (answer.status, told["key"]) == (413, "error.413")
        answer, told = ask("DELETE", "/api/v1/orders")
        assert (answer.status, told["key"]) == (405, "error.405")
        assert answer.headers["allow"] == "GET, HEAD"
        answer, told = ask("GET", "/api/v1/nothing")
        assert (answer.status, told["key"]) == (404, "error.404")
