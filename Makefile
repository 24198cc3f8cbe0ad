# Everything runs in .venv, made here from nothing; `make clean` removes it.
PYTHON ?= python3
# One release for everybody, so that results repeat; any torch from 2.6 on will do.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := rapidocr paddleocr transformers
# Python compiles a module at its first import. To compile all of them at once takes long.
export PIP_COMPILE := 0

.PHONY: test types pytest pages torture demo interop fuzz audit floors ray site wheel hooks lint clean

test: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs=2 types pytest

# Beside the tests, which leave a part of the processor idle.
types: $(VENV)/dev
	$(BIN)/mypy

pytest: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Runs the commands and the Python code of all pages, and make test runs those of the tutorial.
pages: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/page_commands.py

# Kills a short run at 100 random moments (make test: at 2), and resumes it: half an hour.
torture: $(VENV)/dev
	rm -rf torture
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture.py torture --kills 100

demo: $(VENV)/demo
	$(BIN)/python examples/digits/prepare.py demo
	$(BIN)/linetune train demo/linetune.yaml --within 5min --overwrite

# What other programs read, each in an environment of its own: make interop MODEL=runs/mine LABELS=test.txt
interop: $(CLIENTS:%=.interop/%/ready)
	.interop/rapidocr/bin/python tests/interop/compare.py \
		$(if $(MODEL),--model $(MODEL)) $(if $(LABELS),--labels $(LABELS))

# Reads 20,000 crops with Ray Data, killed in the middle and started again.
ray: .ray/ready
	CROPS=20000 .ray/bin/python -m pytest -s tests/test_read_with_ray.py

.ray/ready: Makefile pyproject.toml
	$(PYTHON) -m venv --clear .ray
	.ray/bin/python -m pip install --quiet --upgrade pip
	.ray/bin/python -m pip install --quiet $(TORCH)
	.ray/bin/python -m pip install --quiet --editable '.[dev]' 'ray[data]==2.60.0'
	touch $@

# The documentation, in site/. The variable drops a notice on another program from the output.
site: .site/ready
	NO_MKDOCS_2_WARNING=1 .site/bin/mkdocs build --strict --quiet

.site/ready: Makefile pyproject.toml
	$(PYTHON) -m venv --clear .site
	.site/bin/python -m pip install --quiet --upgrade pip
	.site/bin/python -m pip install --quiet --editable '.[docs]'
	touch $@

# Random contents for each reader of files, TIME seconds each; what fails is in .fuzz.
fuzz: $(VENV)/dev
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python tests/fuzz.py --seconds $(or $(TIME),60)

# Known advisories of what is installed. Fails as well where the advisories cannot be asked.
audit: $(VENV)/dev
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//' > $(VENV)/audited.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement $(VENV)/audited.txt

# The tests with the lowest versions that pyproject.toml allows: make floors TESTS=tests/test_image.py
# torch is not at its floor, since that build needs several GB of GPU libraries.
floors:
	$(PYTHON) -m venv --clear .floors
	.floors/bin/python -m pip install --quiet --upgrade pip
	.floors/bin/python tests/floors.py $(TORCH) > .floors/pins.txt
	.floors/bin/python -m pip install --quiet $(TORCH)
	.floors/bin/python -m pip install --quiet --editable '.[dev]' --constraint .floors/pins.txt
	.floors/bin/python -m pytest $(TESTS)

# Builds both packages in dist/, and reads with the wheel in an empty environment of each Python at hand:
# make wheel PYTHONS="python3.10 python3.13"
wheel: $(VENV)/dev
	$(BIN)/python -m pip install --quiet build twine
	$(BIN)/python tests/packages.py $(if $(PYTHONS),--pythons $(PYTHONS))

# Lint and types before each commit (.pre-commit-config.yaml).
hooks: $(VENV)/dev
	$(BIN)/python -m pip install --quiet pre-commit
	$(BIN)/pre-commit install

lint: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .interop .fuzz .floors .ray .site site demo torture

# torch first and by itself: left to a range, pip takes the build with several GB of GPU libraries.
$(VENV)/torch: Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	touch $@

$(VENV)/demo: $(VENV)/torch pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

$(VENV)/dev: $(VENV)/torch pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.interop/rapidocr/ready: PACKAGES = '.[official]' font-roboto
.interop/paddleocr/ready: PACKAGES = '.[official,paddle]' paddleocr paddlepaddle==3.3.1
# Where static ONNX files are tried (benchmarks/fixed_shape.py).
.interop/opencv4/ready: PACKAGES = '.[official]' opencv-python-headless==4.12.0.88
.interop/transformers/ready: PACKAGES = '.[official,hf]'
# torch by name once more, or torchvision replaces it by the build with the GPU libraries.
.interop/%/ready: Makefile pyproject.toml
	$(PYTHON) -m venv --clear .interop/$*
	.interop/$*/bin/python -m pip install --quiet --upgrade pip
	.interop/$*/bin/python -m pip install --quiet $(TORCH)
	.interop/$*/bin/python -m pip install --quiet --editable $(PACKAGES) $(TORCH)
	touch $@
