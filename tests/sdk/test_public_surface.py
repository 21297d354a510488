"""What `import headwater` offers is pinned, costs little, and fits user code that only has to type-check."""

import subprocess
import sys

import headwater

PUBLIC = {"Api", "Artifact", "HeadwaterError", "PartitionedTable", "Run", "Table", "data_types", "errors", "init"}


def test_the_public_names_are_these_and_all_of_them_are_there() -> None:
    assert set(headwater.__all__) == PUBLIC
    assert all(hasattr(headwater, name) for name in headwater.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(headwater, "nothing")


def test_importing_headwater_loads_none_of_the_heavy_libraries() -> None:
    script = (
        "import sys, headwater; print(sorted({'sqlalchemy', 'numpy', 'fastavro', 'rich', 'click'} & set(sys.modules)))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"


def test_filling_an_artifact_class_loads_no_database() -> None:
    script = "import sys, headwater; headwater.Artifact('a', 'b'); print('sqlalchemy' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "False"
