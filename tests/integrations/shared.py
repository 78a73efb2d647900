"""What the same app in each framework has in common: its errors, its token, its kind."""

from a2e_async import A2EError, NotFoundError, RateLimitError, RequestError

TOKEN = "integrations-web-apps"
HEARTBEAT = 15.0

ERRORS: dict[str, A2EError] = {
    "request": RequestError("is no picture.", field="face_url", endpoint="POST /x"),
    "missing": NotFoundError("no such task", http_status=404, endpoint="GET /x"),
    "rate": RateLimitError("too fast", endpoint="GET /x", retry_after=1.5),
}
