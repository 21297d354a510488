"""From raw images to the best model, with a record of where everything came from.

    python examples/digits_pipeline.py [FOLDER] [--store URL]

Scikit-learn's 1,797 digits become PNG files and the data set `digits`; they are cleaned and split; four processes train
a model each; the best gets the alias `best`; one bad image is corrected, and the best method is trained again. Working
files go to FOLDER, `.build/demo` unless given, and the store is a folder in it, unless another is named. Run it again:
what has the same content becomes no new version.
"""

import argparse
import json
import multiprocessing
import os
import shlex
import shutil
import subprocess
import sys
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import headwater
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

Numbers = NDArray[np.float64]

PROJECT = "digits-demo"
STEPS = 7
RAW, SPLIT, MODEL, BEST = "digits", "digits-split", "digits-model", "best"

WHITE = 240  # the brightest of the 17 grey levels; each is 15 from the next
FAINT = 30  # what is not brighter is dust on the scanner
TEST_SHARE = 0.25
WEIGHT_DIGITS = 6  # significant digits kept of each weight, so that the same training gives the same file

LARGE_MODULES = ["PIL.Image", "sklearn.datasets", "sklearn.discriminant_analysis", "sklearn.svm"]

METHODS: dict[str, ClassifierMixin] = {
    "discriminant": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "logistic": LogisticRegression(C=0.1, max_iter=1000),
    "ridge": RidgeClassifier(alpha=10.0),
    "vector": LinearSVC(C=0.01, random_state=0),
}


def main() -> None:
    """Run every step, then show what was recorded."""
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="The demo: see the first lines of this file.")
    parser.add_argument("folder", nargs="?", type=Path, default=here / ".build" / "demo")
    parser.add_argument("--store", help="where to log, as HEADWATER_URL; a folder in FOLDER unless given")
    given = parser.parse_args()
    work = given.folder.absolute()
    os.environ["HEADWATER_URL"] = given.store or str(work / "store")  # never the one of whoever runs it

    print_heading(1, f"writing the raw images to {work / 'raw'}")
    write_raw_images(work / "raw")
    raw = log_raw_images(work / "raw", "import")

    print_heading(2, "cleaning and splitting them")
    split = prepare(raw, work)

    print_heading(3, f"training {len(METHODS)} models at the same time, each in a process of its own")
    models = train_all(split, work)

    print_heading(4, "comparing them")
    best = choose_best(models)

    print_heading(5, "correcting one image")
    stored_before = bytes_stored()
    image = correct_darkest_image(work / "raw", work / "split" / "train")
    corrected = log_raw_images(work / "raw", "correct", corrects=raw)
    newly_stored = bytes_stored() - stored_before
    print(f"{image.relative_to(work)} has {image.stat().st_size:,} bytes; newly stored: {newly_stored:,} bytes")

    print_heading(6, f"training the best method, {best.metadata['method']}, again")
    retrained = train(prepare(corrected, work).name, best.metadata["method"], work)
    choose_best([best.name, retrained])

    print_heading(7, "what was recorded")
    show()
    say_what_is_next(os.environ["HEADWATER_URL"])


# --- the steps --------------------------------------------------------------------------------------------------


def write_raw_images(folder: Path) -> None:
    """One PNG file a digit, in a folder named after what it shows."""
    shutil.rmtree(folder, ignore_errors=True)
    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        save(folder / str(label) / f"{number:04}.png", pixels * 15)
    print(f"{len(digits.images):,} images written")


def log_raw_images(folder: Path, job_type: str, corrects: headwater.Artifact | None = None) -> headwater.Artifact:
    """Log the folder as a version of the raw data set."""
    with headwater.init(project=PROJECT, job_type=job_type) as run:
        if corrects is not None:
            run.use_artifact(corrects)
        artifact = headwater.Artifact(RAW, type="dataset", description="8 by 8 grey pixels, a folder for each digit")
        artifact.add_dir(folder)
        return run.log_artifact(artifact).wait()


def prepare(raw: headwater.Artifact, work: Path) -> headwater.Artifact:
    """Wipe the dust off every image, and keep a quarter of them for testing."""
    with headwater.init(project=PROJECT, job_type="prepare", config={"faint": FAINT, "test": TEST_SHARE}) as run:
        source = run.use_artifact(raw.name)
        folder = Path(source.download(work / "prepare" / source.version))
        paths = sorted(folder.rglob("*.png"))
        labels = [path.parent.name for path in paths]
        training, testing = train_test_split(paths, test_size=TEST_SHARE, random_state=0, stratify=labels)
        target = work / "split"
        shutil.rmtree(target, ignore_errors=True)
        for part, chosen in (("train", training), ("test", testing)):
            for path in chosen:
                pixels = load(path)
                save(target / part / path.relative_to(folder), np.where(pixels > FAINT, pixels, 0))
        sizes = {"train": len(training), "test": len(testing)}
        artifact = headwater.Artifact(SPLIT, type="dataset", metadata=sizes)
        artifact.add_dir(target)
        return run.log_artifact(artifact).wait()


def train_all(split: headwater.Artifact, work: Path) -> list[str]:
    """Train every method in a process of its own, and return the names of the models."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(LARGE_MODULES)  # imported once for all of them
    names: SimpleQueue[str] = server.SimpleQueue()
    processes = [server.Process(target=train_in_process, args=(names, split.name, method, work)) for method in METHODS]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode != 0:
            sys.exit(f"a training process ended with exit code {process.exitcode}")
    return [names.get() for _ in processes]


def train_in_process(names: "SimpleQueue[str]", split: str, method: str, work: Path) -> None:
    """`train`, as the whole work of a process."""
    names.put(train(split, method, work))


def train(split: str, method: str, work: Path) -> str:
    """Train one model on a split, log it with its score, and return its name."""
    with headwater.init(project=PROJECT, job_type="train", name=method, config={"method": method}) as run:
        data = run.use_artifact(split)
        folder = Path(data.download(work / "train" / method / data.version))
        images, labels = load_all(folder / "train")
        with threadpool_limits(1):  # sums in one order: the same weights every time
            model = METHODS[method].fit(images, labels)
        # Plain numbers rather than a pickle: any program can read them, and the same weights are the same bytes.
        weights = np.vstack([model.coef_.T, model.intercept_]).tolist()
        kept = [[float(f"{weight:.{WEIGHT_DIGITS}g}") for weight in row] for row in weights]
        score = accuracy(kept, *load_all(folder / "test"))
        artifact = headwater.Artifact(MODEL, type="model", metadata={"method": method, "accuracy": score})
        with artifact.new_file("model.json") as file:
            json.dump({"method": method, "weights": kept}, file)
        logged = run.log_artifact(artifact).wait()
    print(f"{method:>12}: {score:.2%} of the test images are recognised", flush=True)
    return logged.name


def choose_best(names: list[str]) -> headwater.Artifact:
    """Move the alias to the model with the highest score; of one method's equals, to the later one."""
    with headwater.init(project=PROJECT, job_type="compare") as run:
        models = [run.use_artifact(name) for name in names]
        best = max(models, key=rank)
        best.aliases.move(BEST)
    print(f"{MODEL}:{BEST} is now {best.version}, {best.metadata['method']}, {best.metadata['accuracy']:.2%}")
    return best


def rank(model: headwater.Artifact) -> tuple[float, str, int]:
    """What models are compared by."""
    return model.metadata["accuracy"], model.metadata["method"], int(model.version[1:])


def correct_darkest_image(raw: Path, training: Path) -> Path:
    """Brighten that raw image with the least light in it, as if it was scanned again, that models are trained on."""
    used = [raw / path.relative_to(training) for path in sorted(training.rglob("*.png"))]
    darkest = min(used, key=lambda path: int(load(path).sum()))
    save(darkest, np.minimum(load(darkest) * 2, WHITE))
    return darkest


def show() -> None:
    """The lineage of the best model, every version, and what it all takes."""
    headwater_command("lineage", f"{MODEL}:{BEST}", "--project", PROJECT)
    for name in (RAW, SPLIT, MODEL):
        print(f"\nversions of {name}", flush=True)
        headwater_command("ls", name, "--project", PROJECT)
    print(f"\n{bytes_stored():,} bytes of content in the store")


def say_what_is_next(store: str) -> None:
    """Where the store is, and how to look around in it."""
    print(f"\nAll of this is in the store {store}. Look around in it:\n")
    if store.startswith("profile:"):
        print("  make services                # starts its servers; export what it prints")
    print(f"  export HEADWATER_URL={shlex.quote(store)} HEADWATER_PROJECT={PROJECT}")
    command = shlex.quote(str(Path(sys.executable).with_name("headwater")))
    for arguments in ("ls", f"show {MODEL}:{BEST}", f"lineage {RAW}:v0 --down"):
        print(f"  {command} {arguments}")


# --- small parts ------------------------------------------------------------------------------------------------


def save(path: Path, pixels: Numbers) -> None:
    """Write grey pixels as PNG: the same bytes for the same pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path, "PNG")


def load(path: Path) -> Numbers:
    """The grey pixels of an image."""
    with Image.open(path) as image:
        return np.asarray(image, dtype=np.float64)


def load_all(folder: Path) -> tuple[Numbers, list[int]]:
    """Every image as a row between 0 and 1, and what it shows."""
    paths = sorted(folder.rglob("*.png"))
    return np.array([load(path).ravel() / WHITE for path in paths]), [int(path.parent.name) for path in paths]


def accuracy(weights: list[list[float]], images: Numbers, labels: list[int]) -> float:
    """The share of images that a linear model recognises. The last row of `weights` is the bias of each digit."""
    scores = images @ np.array(weights[:-1]) + np.array(weights[-1])
    return float(np.mean(scores.argmax(axis=1) == np.array(labels)))


def bytes_stored() -> int:
    """The size of everything in the store."""
    report = headwater_command("doctor", "--json", shown=False)
    found = {finding["check"]: finding["detail"] for finding in json.loads(report)}
    return int(found["objects"].split(", ", 1)[1].removesuffix(" bytes").replace(",", ""))


def headwater_command(*arguments: str, shown: bool = True) -> str:
    """Call the command line, and return what it printed unless it was shown."""
    command = [sys.executable, "-m", "headwater", *arguments]
    done = subprocess.run(command, check=True, text=True, stdout=None if shown else subprocess.PIPE)  # noqa: S603
    return done.stdout or ""


def print_heading(step: int, what: str) -> None:
    """A heading."""
    print(f"\n[{step}/{STEPS}] {what}", flush=True)


if __name__ == "__main__":
    main()
