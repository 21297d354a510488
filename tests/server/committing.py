"""A writer in a process of its own: `COLLECTION COMMITS FOLDER`. Prints each version once it is acknowledged."""

import os
import sys
from pathlib import Path

import headwater


def main() -> None:
    name, commits, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with headwater.init(entity="team", project="p") as run:
        for number in range(commits):
            file = Path(folder, f"{name}-{os.getpid()}.txt")
            file.write_text(f"{name} {os.getpid()} {number}")
            made = headwater.Artifact(name, type="dataset")
            made.add_file(file, name="content.txt")
            run.log_artifact(made).wait()
            print(made.version, flush=True)


if __name__ == "__main__":
    main()
