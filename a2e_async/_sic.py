"""Wire words that the service spells its own way, each beside its right spelling (contract 1.11)."""

FAILED_MESSAGE = "faild_message"
PENDING = "pendding"
CONTINUE_TRAINING = "/userVideoTwin/continueTranining"
VIDEO_BACKGROUND_COLOR = "video_backgroud_color"
VIDEO_BACKGROUND_IMAGE = "video_backgroud_image"
