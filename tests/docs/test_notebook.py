from pathlib import Path

import make_notebook
import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"


def test_the_notebook_is_that_of_the_tutorial():
    assert nbformat.read(NOTEBOOK, 4) == make_notebook.make_notebook(), "make notebook writes it again"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::DeprecationWarning:jupyter_client")
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, 4)
    settings = next(n for n, cell in enumerate(notebook.cells) if "num_samples, num_new" in cell.source)
    smaller = nbformat.v4.new_code_cell("num_samples, num_new, image_size, epochs = 60, 10, 48, 1")
    notebook.cells.insert(settings + 1, smaller)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    assert (tmp_path / "tutorial" / "submission.csv").read_text().startswith("Id,Predicted\n")
