"""Cameras are listed from the kernel's answers; here a kernel made of a table answers."""

import struct

from edgefuse.runtime.streams.v4l2 import CameraMode, cameras

MJPG = int.from_bytes(b"MJPG", "little")
SIZES = [(640, 480), (1280, 720)]


def kernel(device: int, request: int, buffer: bytearray) -> int:
    """Answers as a UVC camera does."""
    index = struct.unpack_from("I", buffer)[0]
    if request == 0x80685600:
        struct.pack_into("I", buffer, 88, 1)
    elif request == 0xC0405602 and index == 0:
        struct.pack_into("I", buffer, 44, MJPG)
    elif request == 0xC02C564A and index < len(SIZES):
        struct.pack_into("III", buffer, 8, 1, *SIZES[index])
    elif request == 0xC034564B and index == 0:
        struct.pack_into("III", buffer, 16, 1, 1, 30)
    else:
        raise OSError("EINVAL")
    return 0


def machine(root):
    for folder in ("dev/v4l/by-id", "sys/class/video4linux/video0"):
        (root / folder).mkdir(parents=True)
    (root / "dev/video0").touch()
    (root / "dev/v4l/by-id/usb-Acme-index0").symlink_to(root / "dev/video0")
    (root / "sys/class/video4linux/video0/name").write_text("Acme Webcam\n")


def test_a_camera_with_its_stable_path_and_modes(tmp_path):
    machine(tmp_path)
    (camera,) = cameras(tmp_path, kernel)
    assert camera.name == "Acme Webcam"
    assert camera.stable_path == tmp_path / "dev/v4l/by-id/usb-Acme-index0"
    assert camera.modes == (CameraMode("MJPG", 640, 480, 30.0), CameraMode("MJPG", 1280, 720, 30.0))


def test_a_node_that_carries_metadata_only_is_no_camera(tmp_path):
    machine(tmp_path)

    def metadata(device: int, request: int, buffer: bytearray) -> int:
        struct.pack_into("I", buffer, 88, 0x00800000)
        return 0

    assert cameras(tmp_path, metadata) == []


def test_a_camera_that_may_not_be_asked_is_listed_without_modes(tmp_path):
    machine(tmp_path)

    def forbidden(device: int, request: int, buffer: bytearray) -> int:
        raise OSError("EACCES")

    assert [camera.modes for camera in cameras(tmp_path, forbidden)] == [()]


def test_a_machine_without_cameras(tmp_path):
    assert cameras(tmp_path, kernel) == []
