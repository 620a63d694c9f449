"""Numbers that are measured once and used everywhere: of lenses, of clocks, of confidence, of int8's ranges."""

from typing import TYPE_CHECKING

from edgefuse import imported_when_asked_for

if TYPE_CHECKING:
    from edgefuse.calibration.boards import Board
    from edgefuse.calibration.camera import CameraCalibration, calibrate_camera
    from edgefuse.calibration.camera_picture import draw_camera
    from edgefuse.calibration.collection import Collection, read_collection, write_collection
    from edgefuse.calibration.confidence import ConfidenceCalibration, Scored, calibrate_confidence
    from edgefuse.calibration.confidence_picture import draw_confidence
    from edgefuse.calibration.percepts import read_percepts
    from edgefuse.calibration.pictures import read_pictures
    from edgefuse.calibration.sync import SyncCalibration, measure_sync
    from edgefuse.calibration.sync_picture import draw_sync
    from edgefuse.calibration.views import View, ViewCollector, collect_views
    from edgefuse.calibration.witness import Heard, Seen, Witness, watch
else:
    __getattr__, __dir__ = imported_when_asked_for(
        __name__,
        {
            "boards": "Board",
            "camera": "CameraCalibration calibrate_camera",
            "camera_picture": "draw_camera",
            "collection": "Collection read_collection write_collection",
            "confidence": "ConfidenceCalibration Scored calibrate_confidence",
            "confidence_picture": "draw_confidence",
            "percepts": "read_percepts",
            "pictures": "read_pictures",
            "sync": "SyncCalibration measure_sync",
            "sync_picture": "draw_sync",
            "views": "View ViewCollector collect_views",
            "witness": "Heard Seen Witness watch",
        },
    )

__all__ = [
    "Board",
    "CameraCalibration",
    "Collection",
    "ConfidenceCalibration",
    "Heard",
    "Scored",
    "Seen",
    "SyncCalibration",
    "View",
    "ViewCollector",
    "Witness",
    "calibrate_camera",
    "calibrate_confidence",
    "collect_views",
    "draw_camera",
    "draw_confidence",
    "draw_sync",
    "measure_sync",
    "read_collection",
    "read_percepts",
    "read_pictures",
    "watch",
    "write_collection",
]
