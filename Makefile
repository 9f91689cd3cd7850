# Everything that CI runs, as targets. `make demo` and `make test` need nothing but Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# Tests of what is NumPy alone say nothing about a backend; pages are cut from tests of what other tests test too.
ON_BACKENDS := -m "not slow" $(addprefix --ignore tests/,cells cluster docs docs_site evaluation synthetic_atlas test_atlas.py \
	test_damaged_files.py test_files.py test_imports.py test_labels.py test_lazy_imports.py test_new_folder.py test_pandas.py \
	test_plot_cells.py test_plots.py test_release.py test_stops.py inference/test_write_predictions.py) \
	$(addprefix --ignore tests/data/,test_augmentation.py \
	test_channel_files.py test_channel_stacks.py test_found_files.py test_framing.py test_image_file.py test_load_table.py \
	test_ome_zarr.py test_ome_zarr_on_s3.py test_packed_source.py test_plate_normalization.py test_progress.py \
	test_projections.py test_public_images.py test_readers.py test_reading.py test_splits.py test_validate.py \
	test_write_kaggle_folder.py test_wrong_tables.py) $(addprefix --ignore tests/faults/,test_duplicates.py \
	test_sources_of_ones_own.py test_table.py) $(addprefix --ignore tests/fuzz/,test_files.py test_found.py \
	test_labels_and_tables.py test_splits_and_samples.py test_thresholds.py) $(addprefix --ignore tests/thresholds/, \
	test_calibration_files.py test_calibrator_arguments.py test_cross_fit.py test_estimator_checks.py test_rule_options.py \
	test_rules.py test_threshold_calibrator.py test_threshold_report.py)

.PHONY: demo demo-inception test test-backends soak lint type dist wheel lower-bounds newcomer docs docs-serve docs-test \
	figures notebook check clean bench-cells bench-cluster bench-evaluation bench-export bench-imports bench-inference \
	bench-loading bench-losses bench-metrics bench-models bench-synthetic bench-thresholds bench-weights weights

demo: .venv/examples
	$(BIN)/python examples/demo.py --output demo

demo-inception: .venv/examples
	$(BIN)/python examples/demo.py --output demo --inception-backbone InceptionResNetV2

test: .venv/dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --cov --cov-report term --cov-fail-under 90

# JAX compiles each operation: with most of XLA's optimizations left out, as JAX's own tests do, in half of the time.
test-backends: .venv/backends
	KERAS_BACKEND=jax JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ON_BACKENDS)
	KERAS_BACKEND=torch $(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ON_BACKENDS)

# The long variants of tests of which `make test` runs samples: stops at every operation on files, damaged files, and
# 200,000 drawn inputs.
soak: .venv/dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m soak tests

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: .venv/dev
	$(BIN)/mypy

# What would be uploaded.
dist: .venv/dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

wheel: dist
	rm -rf build/wheel
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd build && wheel/bin/python ../tests/fit_one_batch.py

# A newcomer's first hour, with the wheel in a fresh environment and the code of the site.
newcomer: wheel docs
	tests/newcomer.sh dist/*.whl site

# The lowest versions that pyproject.toml allows, in an environment of their own.
lower-bounds:
	mkdir -p build
	$(PYTHON) tests/lower_bounds.py > build/lower-bounds.txt
	$(PYTHON) -m venv --clear build/lower-bounds
	build/lower-bounds/bin/python -m pip install --quiet --constraint build/lower-bounds.txt \
		'.[tables]' pytest hypothesis
	cd build/lower-bounds && PYTHONPATH=../.. bin/python -m pytest -c /dev/null --rootdir ../.. -W default \
		--import-mode=importlib -p no:cacheprovider ../../tests/test_labels.py ../../tests/losses ../../tests/layers

# The site; building it trains nothing and asks the network for nothing.
docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

# The tutorial as a notebook, which is committed.
notebook: .venv/dev
	$(BIN)/python docs/scripts/make_notebook.py docs/tutorial.ipynb

# Trains the tutorial's network and draws the figures that are committed.
figures: .venv/examples
	$(BIN)/python examples/tutorial.py --output build/tutorial
	$(BIN)/python docs/scripts/site_figures.py --tutorial build/tutorial --output docs/figures
	$(BIN)/python docs/scripts/reference_figures.py --output docs/figures

docs-serve: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

docs-test: docs
	$(BIN)/python tests/docs_site/browse.py site --screenshots build/screenshots

check: lint type docs test test-backends wheel

# Benchmarks; those that need real data read the folder named by KERAS_HPA_DATA.
bench-export bench-imports bench-losses bench-metrics bench-models: .venv/dev
	$(BIN)/python benchmarks/$(@:bench-%=%).py

bench-loading: .venv/dev
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/loading_formats.py
	$(BIN)/python benchmarks/augmentation.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/shuffled_fit.py
	$(BIN)/python benchmarks/first_batch.py

bench-cells: .venv/dev
	$(BIN)/python benchmarks/cells.py
	$(BIN)/python benchmarks/cell_scores.py
	$(BIN)/python benchmarks/cell_bags.py

bench-evaluation: .venv/dev
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/calibration.py

bench-thresholds: .venv/dev
	$(BIN)/python benchmarks/thresholds.py --simulated 60

bench-cluster: .venv/dev
	$(BIN)/python benchmarks/cluster.py --measure
	$(BIN)/python benchmarks/cluster.py --parts parts.json

bench-inference: .venv/dev
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/averaging.py

bench-synthetic: .venv/dev
	$(BIN)/python benchmarks/synthetic_atlas.py

# GapNet trained on drawings; the same command goes on where it was stopped.
weights: .venv/dev
	$(BIN)/python benchmarks/train_weights.py --output build/weights

# What weights know of real cells: the package's, or WEIGHTS=FILE in their place, random, ImageNet's, GapNet-PL's.
WEIGHTS ?= drawn
bench-weights: .venv/dev
	$(BIN)/python benchmarks/weights.py $(WEIGHTS)

clean:
	rm -rf .venv build dist demo site

# The environment, one file for each thing that was installed into it.
.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/examples: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[examples]'
	touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	touch $@ .venv/examples

.venv/docs: .venv/bin/python docs/requirements.txt constraints.txt
	$(INSTALL) --requirement docs/requirements.txt
	touch $@

.venv/backends: .venv/dev
	$(INSTALL) --editable '.[jax,torch]'
	touch $@
