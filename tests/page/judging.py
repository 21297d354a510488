"""Whether everybody can use what a window shows: axe, and what axe does not see, the contrast of text in drawings."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.page.browsing import Window

AXE = Path(__file__).with_name("vendored") / "axe.min.js"  # of the package axe-core 4.14.1
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
SERIOUS = ("serious", "critical")
CONTRAST_MIN, CONTRAST_OF_LARGE_MIN = 4.5, 3.0  # WCAG 2.2, 1.4.3

_CONTRASTS = """
selector => {
  const parsed = colour => {
    const canvas = new OffscreenCanvas(1, 1), paint = canvas.getContext("2d");
    paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const painted = element => {
    const style = getComputedStyle(element);
    const isShape = element instanceof SVGElement && !(element instanceof SVGSVGElement);
    const colour = parsed(isShape ? style.fill : style.backgroundColor);
    const isEmpty = style.fill === "none" || ["g", "a", "text", "tspan"].includes(element.tagName);
    if (isShape && isEmpty) return [0, 0, 0, 0];
    return [...colour.slice(0, 3), colour[3] * (isShape ? +style.fillOpacity : 1) * +style.opacity];
  };
  const found = [];
  for (const text of document.querySelectorAll(selector)) {
    const words = text.textContent.trim();
    const box = text.getBoundingClientRect();
    if (!words || !box.width || !text.checkVisibility()) continue;
    text.scrollIntoView({block: "center", inline: "center"});
    const now = text.getBoundingClientRect();
    const below = document.elementsFromPoint(now.x + now.width / 2, now.y + now.height / 2)
      .filter(element => element === text || !text.contains(element));
    if (!below.includes(text)) continue;  // cut off, or shown once it has the focus
    let ground = parsed(getComputedStyle(document.documentElement).backgroundColor);
    if (!ground[3]) ground = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    for (const element of below.reverse()) ground = over(painted(element), ground);
    const style = getComputedStyle(text);
    const ink = parsed(text instanceof SVGElement ? style.fill : style.color);
    const size = parseFloat(style.fontSize), isBold = +style.fontWeight >= 700;
    const isLarge = size >= 24 || (isBold && size >= 18.66);
    found.push({words, isLarge, contrast: contrast(over(ink, ground), ground)});
  }
  return found;
}
"""


def serious_findings(opened: Window) -> list[str]:
    """What axe finds that keeps people from using the page, with where it is."""
    opened.page.evaluate(_axe())
    found: dict[str, Any] = opened.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def too_faint(opened: Window, selector: str = "svg text") -> list[str]:
    """Texts that have less contrast with what is painted behind them than people need. There must be some texts."""
    found = opened.page.evaluate(_CONTRASTS, selector)
    assert found, f"nothing on the page is {selector!r}"
    return [
        f"{one['words'][:60]!r} has a contrast of {one['contrast']:.2f}"
        for one in found
        if one["contrast"] < (CONTRAST_OF_LARGE_MIN if one["isLarge"] else CONTRAST_MIN)
    ]


@cache
def _axe() -> str:
    source = AXE.read_bytes()
    assert sha256(source).hexdigest() == AXE_SHA256, f"{AXE} is not the release that it was"
    return source.decode()
