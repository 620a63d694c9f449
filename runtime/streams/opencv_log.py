"""What OpenCV itself writes on stderr, beside the one line that says what was wrong."""

from __future__ import annotations

import cv2

SILENT, ERROR = 0, 2  # cv::utils::logging::LogLevel


def set_log_level(level: int) -> int:
    """Let OpenCV write what is as grave as `level`; returns the level before."""
    if hasattr(cv2.utils, "logging"):  # OpenCV 5
        before: int = cv2.utils.logging.setLogLevel(level)
    else:
        before = cv2.setLogLevel(level)  # type: ignore[attr-defined]  # of OpenCV 4
    return before
