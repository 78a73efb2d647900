"""Asyncio-first SDK for the A2E AI-video service. Names load at first use: importing this costs next to nothing."""

from importlib import import_module
from typing import TYPE_CHECKING

from a2e_async._version import __version__

if TYPE_CHECKING:
    from a2e_async.batch import Batch
    from a2e_async.config import Limiter, Limits, PollPolicy, RetryPolicy, SessionConfig, WaitLimits
    from a2e_async.errors import (
        A2EError,
        APIError,
        AuthenticationError,
        BatchStoppedError,
        BudgetExceededError,
        ConfigError,
        DecodeError,
        InsufficientCoinsError,
        JournalError,
        ModerationError,
        NotFoundError,
        PermissionDeniedError,
        ProvisionalEndpointWarning,
        QueueTimeoutError,
        RateLimitError,
        RequestError,
        RunTimeoutError,
        ServerError,
        StallTimeoutError,
        SubmissionUncertainError,
        TaskError,
        TaskFailedError,
        TaskTimeoutError,
        TransportError,
        TransportTimeoutError,
    )
    from a2e_async.groups.avatar_videos import AVATAR_VIDEO
    from a2e_async.groups.avatars import AVATAR, CONTINUED_AVATAR
    from a2e_async.groups.caption_removal import CAPTION_REMOVAL
    from a2e_async.groups.dubbing import DUBBING
    from a2e_async.groups.face_swap import FACE_SWAP, FACE_SWAP_PREVIEW
    from a2e_async.groups.image_to_video import IMAGE_TO_VIDEO
    from a2e_async.groups.images import (
        FLUX2,
        GPT_IMAGE,
        HEAD_SWAP,
        IMAGE_EDIT,
        KLING_IMAGE,
        NANO_BANANA,
        PHOTOBOOK,
        PRODUCT_AVATAR,
        QWEN_IMAGE,
        TEXT_TO_IMAGE,
        VIRTUAL_TRY_ON,
        WAN26_IMAGE,
        WAN27_IMAGE,
    )
    from a2e_async.groups.videos import (
        ACTOR_SWAP,
        GROK,
        HAILUO,
        HAPPYHORSE,
        KLING,
        KLING_OMNI,
        MINIMAX_H3,
        MOTION_TRANSFER,
        SEEDANCE,
        SEEDANCE2,
        SORA,
        TALKING_PHOTO,
        TALKING_VIDEO,
        THINK_SOUND,
        UPSCALE,
        VEO,
        WAN,
        WAN_REFERENCE,
    )
    from a2e_async.groups.voices import VOICE_CLONE
    from a2e_async.job import Job
    from a2e_async.observer import Observer
    from a2e_async.outcomes import BatchStatus, Outcome
    from a2e_async.running import run
    from a2e_async.session import A2ESession
    from a2e_async.tasks import Task, TaskKind, TaskState
    from a2e_async.watcher import TaskWatcher, Transition
    from a2e_async.webhooks import Webhooks

__all__ = [
    "A2EError",
    "A2ESession",
    "ACTOR_SWAP",
    "APIError",
    "AVATAR",
    "AVATAR_VIDEO",
    "AuthenticationError",
    "Batch",
    "BatchStatus",
    "BatchStoppedError",
    "BudgetExceededError",
    "CAPTION_REMOVAL",
    "CONTINUED_AVATAR",
    "ConfigError",
    "DUBBING",
    "DecodeError",
    "FACE_SWAP",
    "FACE_SWAP_PREVIEW",
    "FLUX2",
    "GPT_IMAGE",
    "GROK",
    "HAILUO",
    "HAPPYHORSE",
    "HEAD_SWAP",
    "IMAGE_EDIT",
    "IMAGE_TO_VIDEO",
    "InsufficientCoinsError",
    "Job",
    "JournalError",
    "KLING",
    "KLING_IMAGE",
    "KLING_OMNI",
    "Limiter",
    "Limits",
    "MINIMAX_H3",
    "MOTION_TRANSFER",
    "ModerationError",
    "NANO_BANANA",
    "NotFoundError",
    "Observer",
    "Outcome",
    "PHOTOBOOK",
    "PRODUCT_AVATAR",
    "PermissionDeniedError",
    "PollPolicy",
    "ProvisionalEndpointWarning",
    "QWEN_IMAGE",
    "QueueTimeoutError",
    "RateLimitError",
    "RequestError",
    "RetryPolicy",
    "RunTimeoutError",
    "SEEDANCE",
    "SEEDANCE2",
    "SORA",
    "ServerError",
    "SessionConfig",
    "StallTimeoutError",
    "SubmissionUncertainError",
    "TALKING_PHOTO",
    "TALKING_VIDEO",
    "TEXT_TO_IMAGE",
    "THINK_SOUND",
    "Task",
    "TaskError",
    "TaskFailedError",
    "TaskKind",
    "TaskState",
    "TaskTimeoutError",
    "TaskWatcher",
    "Transition",
    "TransportError",
    "TransportTimeoutError",
    "UPSCALE",
    "VEO",
    "VIRTUAL_TRY_ON",
    "VOICE_CLONE",
    "WAN",
    "WAN26_IMAGE",
    "WAN27_IMAGE",
    "WAN_REFERENCE",
    "WaitLimits",
    "Webhooks",
    "__version__",
    "run",
]

# Light before heavy: a name is looked for from the left. The session needs all before it; webhooks are of use to one.
_MODULES = (
    "errors",
    "config",
    "tasks",
    "observer",
    "watcher",
    "job",
    "session",
    "running",
    "outcomes",
    "webhooks",
    "batch",
)
_KINDS = (
    "groups.face_swap",
    "groups.dubbing",
    "groups.image_to_video",
    "groups.caption_removal",
    "groups.voices",
    "groups.avatars",
    "groups.avatar_videos",
    "groups.images",
    "groups.videos",
)
"""Where the names in capitals are."""


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _KINDS if name.isupper() else _MODULES:
            found = vars(import_module(f"{__name__}.{module}"))
            if name in found:
                globals()[name] = found[name]
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
