"""Face swaps with Django's async views: `python docs/examples/django_app.py`, and open what it prints."""

import secrets
from mimetypes import guess_type

import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from studio import FILES, KEY, PORT, Swaps, Upload, bounded, service

from a2e_async import FACE_SWAP
from a2e_async.integrations.django import get_session, task_events, with_lifespan

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["a2e_async.integrations.django.A2EErrorMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(),
)
swaps = Swaps()


@require_GET
async def page(request: HttpRequest, name: str = "page.html") -> HttpResponseBase:
    """Send the page, or what it loads."""
    if name not in FILES:
        raise Http404
    return HttpResponse(FILES[name].read_bytes(), content_type=guess_type(name)[0])


@require_POST
async def start(request: HttpRequest) -> HttpResponseBase:
    """Upload a face and a clip, and start their swap, which costs coins; the same form again costs none."""
    face, clip = (file and Upload(file.name, file) for file in map(request.FILES.get, ("face", "clip")))
    return JsonResponse({"id": await swaps.start(get_session(), request.headers.get(KEY, ""), face, clip)}, status=201)


@require_GET
async def events(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Tell of each state of a swap as it comes."""
    return task_events(request, get_session().watch(FACE_SWAP, task_id))


urlpatterns = [
    path("", page),
    path("page/<str:name>", page),
    path("swaps", start),
    path("swaps/<str:task_id>/events", events),
]
app = bounded(with_lifespan(get_asgi_application()))

if __name__ == "__main__":
    with service():
        uvicorn.run(app, port=PORT, log_level="warning", timeout_graceful_shutdown=3)
