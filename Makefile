# Everything runs in .venv, which the first target makes. Another build of torch: make demo TORCH="torch==2.13.0 --index-url ..."
PYTHON ?= python3.11
TORCH ?= torch==2.13.0
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test test-all hf-tests lint format bench results docs supply-chain clean

demo: $(INSTALLED)
	mkdir -p demo
	$(BIN)/anymo demo --out demo/report.html

test: $(INSTALLED)
	-$(BIN)/python tools/fetch_hf_tests.py
	$(BIN)/python -m pytest -n auto -m "not slow"

test-all: $(INSTALLED)
	-$(BIN)/python tools/fetch_hf_tests.py
	$(BIN)/python -m pytest -n auto

# transformers' own test mixins; without them the tests that use them skip.
hf-tests: $(INSTALLED)
	$(BIN)/python tools/fetch_hf_tests.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/lint_models.py

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Figures of speed mean something only on an idle machine.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/stages.py
	$(BIN)/python benchmarks/simulation.py
	$(BIN)/python benchmarks/processing.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/tokenizer.py
	$(BIN)/python benchmarks/language.py
	$(BIN)/python benchmarks/export.py
	$(BIN)/python benchmarks/real_vs_simulated.py
	$(BIN)/python benchmarks/calibration.py
	$(BIN)/python benchmarks/sensor_noise.py
	$(BIN)/python benchmarks/synthesis.py --against dev

results: $(INSTALLED)
	$(BIN)/python -m anymo_hf.evaluation.readme_tables
	$(BIN)/python benchmarks/stages_page.py

# Any broken link is an error. The page is site/index.html.
docs: results
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Builds the wheel twice, installs it elsewhere with the lowest and newest dependencies, and audits them.
supply-chain: $(INSTALLED)
	$(BIN)/python tools/check_supply_chain.py --torch "$(TORCH)"

# torch comes first and in one fixed build, else pip picks the newest with gigabytes of CUDA libraries.
$(INSTALLED): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(INSTALLED)

clean:
	rm -rf .venv demo build dist
