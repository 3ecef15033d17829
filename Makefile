# `make demo` and `make test` are all that a fresh Linux machine with python3 needs; each makes the environment .venv first.
# A machine without an NVIDIA GPU saves gigabytes with PyTorch's own CPU wheels: PIP_ARGS="--extra-index-url <PyTorch's CPU index>".

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
READY := $(VENV)/.ready

SOURCE ?= scene:cups?seed=42
FRAMES ?= 150
OUT ?= demo
DATA := scene:cups?seed=9001&every=40

.PHONY: demo test lint format check mutation planted kills soak fuzz arm64 wheel constraints clean help

help:
	@echo "make demo    export, verify, run and benchmark the scene detector (SOURCE=0 for a webcam); results in demo/"
	@echo "make test    all tests"
	@echo "make lint    ruff, mypy strict, import-linter"
	@echo "make check   both"
	@echo "make mutation  mutation testing of preprocess, postprocess, metrics, backends, queue and steps; results in build/mutation/"
	@echo "make planted   plants changes into the code, one at a time, each of which a test has to notice"
	@echo "make kills     kills export, train, compress and record COUNT=100 times each and counts what is lost"
	@echo "make fuzz HOURS=8 SEED=1  reads damaged models, datasets, images and settings; what fails is kept in build/fuzz/"
	@echo "make arm64     selftests and the runtime's tests on an emulated CPU=cortex-a72 (a53, a76); the root is kept in build/arm64/"
	@echo "make soak HOURS=8  a run on four cameras that fail, with outputs that hang; readings and plot in build/soak/"
	@echo "make wheel   the wheel, in dist/"

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing edgecnn and its tools into $(VENV) (minutes, once)"
	$(PIP) torch
	$(PIP) -e ".[dev]"
	$(PIP) --no-deps trackeval  # it asks for opencv-python, whose files would replace those of opencv-python-headless
	@touch $(READY)

demo: $(READY)
	@mkdir -p "$(OUT)"
	$(BIN)/edgecnn export cups --format onnx,tflite,openvino --precision int8 --calibration "scene:cups?seed=11&every=40" --out "$(OUT)" --force
	@for file in onnx tflite xml; do \
	  echo; echo "== cups-int8.$$file on $(SOURCE)"; \
	  $(BIN)/edgecnn run "$(OUT)/cups-int8.$$file" --source "$(SOURCE)" --max-frames $(FRAMES) \
	    --out "$(OUT)/cups-$$file.mp4" --snapshot "$(OUT)/cups-$$file.png" --stats "$(OUT)/cups-$$file.json" --log text || exit $$?; \
	done
	@echo
	$(BIN)/edgecnn benchmark "$(OUT)/cups-int8.onnx" "$(OUT)/cups-int8.tflite" "$(OUT)/cups-int8.xml" --quick \
	  --data "$(DATA)" --limit 64 --picture "$(OUT)/cups-onnx.png" --json "$(OUT)/report.json" --html "$(OUT)/report.html"
	@echo; echo "video    $(OUT)/cups-onnx.mp4 (also -tflite, -xml)"
	@echo "picture  $(OUT)/cups-onnx.png"; echo "report   $(OUT)/report.html"

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test

PLACES ?=
WORDS ?=
mutation: $(READY)
	$(BIN)/python tests/mutation_run.py $(PLACES)

planted: $(READY)
	$(BIN)/python -m tests.planted.run $(WORDS)

COUNT ?= 100
SEED ?= 1
kills: $(READY)
	$(BIN)/python -m tests.kills.run --count $(COUNT) --seed $(SEED)

HOURS ?= 1
soak: $(READY)
	bash tests/install_peers.sh
	$(BIN)/python -m tests.soak.run --hours $(HOURS) --seed $(SEED)

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz.run --hours $(HOURS) --seed $(SEED)

CPU ?= cortex-a72
arm64: $(READY)
	$(BIN)/python -m tests.arm64.run --cpu $(CPU)

wheel: $(READY)
	rm -rf build dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null

constraints: $(READY)
	@{ sed -n 1p constraints.txt; $(BIN)/pip freeze --exclude-editable | grep == | sed 's/+cpu//; s/$$/ ; python_version >= "3.11"/'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf build dist $(OUT) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
