"""A store in which every field that a user can write holds a script, a name of 128 characters, or text that runs from
right to left. Pages must show all of it, run none of it, and stay in shape."""

from pathlib import Path

import headwater
import pytest

from tests.server.recorded import add

RAN = "hostileScriptRan"  # the name of what a script would set on the window
SCRIPT = f"<script>window.{RAN}=1</script>"
IMAGE = f"\"'><img src=x onerror=window.{RAN}=1>"  # also out of an attribute
TEMPLATE = "{{7*7}}${7*7}"
HEBREW, ARABIC = "תמונות של חתולים", "صور القطط"
TURNED = "\u202ereversed\u202c"  # says that what follows runs from right to left
LONG = "n" * 127 + "x"  # as long as a name can be
LONG_WORD = "w" * 700
ENTITY = "e" * 128
PROJECT = f"{ENTITY}/{LONG}"
COLLECTION = f"{PROJECT}/{LONG}"
JSON_NAMED = "team/config.json"  # a project whose name ends as addresses of data do
ALL = f"{SCRIPT} {IMAGE} {TEMPLATE} {HEBREW} {TURNED} {LONG_WORD}"
NAME = f"{IMAGE} {TEMPLATE} {HEBREW}".replace("/", "").replace(":", "")  # what an alias or a tag may be
FILES = (f"{IMAGE.replace('/', '')}.txt", "folder/<b>bold<b>.html", f"{HEBREW}/{ARABIC}.txt", f"{LONG}/{LONG}.json")


def record_hostile(store: Path) -> None:
    """Record it in a new folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(store))
        patch.setenv("HEADWATER_QUIET", "true")
        patch.setenv("HEADWATER_CAPTURE", "off")
        made = {"job_type": NAME, "group": ALL[:128], "name": ALL[:128], "tags": [NAME[:128]]}
        with headwater.init(project=LONG, entity=ENTITY, id=LONG, config={ALL: [ALL, {ALL: 1}]}, **made) as run:
            run.summary[ALL] = ALL
            artifact = headwater.Artifact(LONG, type=IMAGE, description=ALL, metadata={ALL: {ALL: [ALL]}})
            add(artifact, {name: ALL.encode() for name in FILES})
            artifact.add_reference("https://example.com/" + "%3Cscript%3E" * 20, name="reference", checksum=False)
            logged = run.log_artifact(artifact, aliases=["latest", NAME[:128], LONG, HEBREW]).wait()
            logged.tags.append(NAME[:128])
            logged.save()
        with headwater.init(project=LONG, entity=ENTITY, id="reader", job_type=SCRIPT) as run:
            run.use_artifact(f"{LONG}:v0", use_as=IMAGE)
        with headwater.init(project="config.json", entity="team", id="r.json") as run:
            artifact = headwater.Artifact("data.json", type="dataset")
            add(artifact, {"inner.json": b"{}"})
            run.log_artifact(artifact, aliases=["a.json", "diff", "50% & more?#"]).wait()
