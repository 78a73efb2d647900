"""What starts a task of each of the newer families of videos, one for each way of working that it has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Starts = Callable[[str | Path, str | Path], list[dict[str, Any]]]
"""From a picture and a video to what `start` takes."""

STARTS: dict[str, Starts] = {
    "wan": lambda face, clip: [
        {"prompt": "p", "image_url": face},
        {"prompt": "p", "task_type": "text_to_video"},
        {"prompt": "p", "task_type": "first_last_frame", "image_url": face, "last_frame_url": face},
        {"prompt": "p", "task_type": "reference_image", "reference_image_urls": [face]},
        {"prompt": "p", "task_type": "video_extend", "first_clip_url": clip},
        {"prompt": "p", "task_type": "video_edit", "edit_video_url": clip, "reference_image_urls": [face]},
    ],
    "wan_reference": lambda face, clip: [{"prompt": "p", "reference_urls": [face, clip], "seconds": 10}],
    "happyhorse": lambda face, clip: [
        {"mode": "i2v", "image_url": face},
        {"mode": "t2v", "prompt": "p"},
        {"mode": "r2v", "reference_image_urls": [face, face]},
        {"mode": "video-edit", "edit_video_url": clip, "input_video_seconds": 3.5},
    ],
    "talking_photo": lambda face, _: [{"name": "n", "prompt": "p", "negative_prompt": "q", "image_url": face}],
    "talking_video": lambda _, clip: [{"name": "n", "prompt": "p", "negative_prompt": "q", "video_url": clip}],
    "think_sound": lambda _, clip: [{"video_url": clip}],
    "motion_transfer": lambda face, clip: [{"image_url": face, "video_url": clip, "prompt": "p"}],
    "actor_swap": lambda face, clip: [{"image_url": face, "video_url": clip, "prompt": "p"}],
    "veo": lambda face, _: [
        {"prompt": "p", "generation_type": "REFERENCE_2_VIDEO", "image_urls": [face]},
        {"prompt": "p", "generation_type": "FIRST_AND_LAST_FRAMES_2_VIDEO", "image_urls": [face, face]},
        {"prompt": "p", "generation_type": "TEXT_2_VIDEO"},
        {"prompt": "p"},
    ],
    "kling": lambda face, clip: [
        {"prompt": "p", "mode": "motion-control", "image_url": face, "video_url": clip},
        {"prompt": "p", "mode": "image-to-video", "image_url": face, "end_image_url": face},
        {"prompt": "p", "mode": "text-to-video"},
    ],
    "kling_omni": lambda face, _: [{"image_urls": [face]}, {"prompt": "p", "multi_shot": True}],
    "grok": lambda face, _: [
        {"model_type": "image-to-video", "image_urls": [face]},
        {"model_type": "image-to-video", "image_url": face},
        {"model_type": "text-to-video", "prompt": "p", "seconds": 15},
    ],
    "hailuo": lambda face, _: [{"image_url": face}, {"image_urls": [face]}, {"prompt": "p", "seconds": 6}],
    "minimax_h3": lambda face, clip: [
        {"prompt": "p", "mode": "reference-to-video", "reference_image_urls": [face], "reference_video_urls": [clip]},
        {"prompt": "p", "mode": "image-to-video", "last_frame_url": face},
        {"prompt": "p", "mode": "text-to-video", "seconds": 4},
    ],
    "sora": lambda face, _: [{"prompt": "p", "image_urls": [face]}, {"prompt": "p", "model_type": "text-to-video"}],
    "seedance": lambda face, _: [
        {"prompt": "p", "mode": "image-to-video", "image_url": face, "end_image_url": face},
        {"prompt": "p", "mode": "text-to-video"},
    ],
    "seedance2": lambda face, clip: [
        {"prompt": "p", "first_frame_url": face, "last_frame_url": face},
        {"prompt": "p", "video_urls": [clip], "reference_urls": [face, clip], "input_video_seconds": 3},
    ],
    "upscale": lambda face, clip: [{"source_url": clip}, {"source_url": face}],
}
