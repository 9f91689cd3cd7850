#!/usr/bin/env bash
# What a newcomer does in the first hour: installs the wheel into a fresh environment, and runs the code that stands on the
# page "From twenty images to a result", on twenty TIFFs and a workbook. `make newcomer` builds wheel and site before.
#
#     tests/newcomer.sh dist/keras_hpa-*.whl site
set -euo pipefail
wheel="$(realpath "$1")" site="$(realpath "$2")" tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv environment
environment/bin/python -m pip install --quiet "$wheel[tables,export]"
began=$SECONDS
environment/bin/python "$tests/docs/lab.py" .
environment/bin/python "$tests/page_code.py" "$site/how-to/first-hour/index.html" > page.py
environment/bin/python page.py | tee told.txt
echo "$((SECONDS - began)) s of machine time after the installation"
[ $((SECONDS - began)) -le 600 ]
grep -E '^On 20 images of 10 slides, .* was [01]\.[0-9]{2} \(95 % interval [01]\.[0-9]{2} to [01]\.[0-9]{2}\)\.$' told.txt
environment/bin/python - << 'EOF'
import numpy as np
import onnxruntime
import openpyxl

rows = list(openpyxl.load_workbook("predictions.xlsx").active.values)
assert len(rows) == 21, len(rows)
assert {row[0] for row in rows[1:]} == {f"cell{number:02d}" for number in range(20)}
session = onnxruntime.InferenceSession("network.onnx")
probabilities, labels = session.run(["probabilities", "labels"], {"images": np.zeros((2, 160, 160, 4), np.uint8)})
assert probabilities.shape == labels.shape == (2, 2)
print("A table of", len(rows) - 1, "images, and a network that runs without Keras.")
EOF
