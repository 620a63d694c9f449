"""edgefuse_msgs as a wheel, for environments whose ROS 2 comes from wheels; colcon does not use this file.

    pip install -r requirements.txt && pip install --no-build-isolation --no-deps .

runs the CMake build against the environment's own ROS wheels and ships what it installs as data files, which is how
those wheels are laid out too: with them, `import edgefuse_msgs` needs no variable to be set.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy
from setuptools import Distribution, setup
from setuptools.command.build import build

HERE = Path(__file__).parent.resolve()
BUILD = HERE / "build"
TREE = BUILD / "tree"
VERSION = re.search(r"<version>(.+)</version>", (HERE / "package.xml").read_text()).group(1)
# The wheels' CMake files name the paths of the machine that built them.
FOREIGN = {
    r"/opt/python/cp\d+-cp\d+/include/python3\.\d+": sysconfig.get_path("include"),
    r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages/numpy/_core/include": numpy.get_include(),
}


class Binary(Distribution):
    """A wheel for this platform and Python only."""

    def has_ext_modules(self) -> bool:
        return True


class CMakeBuild(build):
    """Generate and compile the interfaces, then list them as data files."""

    def run(self) -> None:
        shutil.rmtree(BUILD, ignore_errors=True)  # of another environment, or with an interface that is gone
        mend_cmake_files(Path(sys.prefix) / "share")
        build_tree()
        self.distribution.data_files.extend(data_files())
        super().run()


def mend_cmake_files(share: Path) -> None:
    """Replace foreign paths by this environment's."""
    for path in share.rglob("*.cmake"):
        text = path.read_text(errors="surrogateescape")
        mended = text
        for foreign, ours in FOREIGN.items():
            mended = re.sub(foreign, ours, mended)
        if mended != text:
            path.write_text(mended, errors="surrogateescape")


def build_tree() -> None:
    """What `cmake --install` lays out, under TREE."""
    search = {"CMAKE_PREFIX_PATH": sys.prefix, "AMENT_PREFIX_PATH": sys.prefix}
    path = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    configure = ["cmake", "-G", "Ninja", "-S", str(HERE), "-B", str(BUILD / "cmake"), "-DBUILD_TESTING=OFF"]
    configure += [f"-DPython3_EXECUTABLE={sys.executable}", f"-DCMAKE_INSTALL_PREFIX={TREE}"]
    configure += ["-DCMAKE_POLICY_VERSION_MINIMUM=3.5", "-DCMAKE_BUILD_TYPE=Release", "-Wno-dev"]
    for command in (configure, ["cmake", "--build", str(BUILD / "cmake"), "--target", "install"]):
        subprocess.run(command, check=True, env=os.environ | search | path)


def data_files() -> list[tuple[str, list[str]]]:
    """Every file of TREE by the directory under the environment's prefix that it goes to."""
    files = sorted(path for path in TREE.rglob("*") if path.is_file())
    return [(str(path.parent.relative_to(TREE)), [str(path.relative_to(HERE))]) for path in files]


setup(
    name="edgefuse-msgs",
    version=VERSION,
    description="edgefuse's ROS 2 interfaces, built against ROS 2 wheels",
    packages=[],
    data_files=[],
    distclass=Binary,
    cmdclass={"build": CMakeBuild},
)
