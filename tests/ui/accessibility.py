"""What axe-core finds on a page."""

from pathlib import Path

from tests.gates import ROOT
from tests.programs import refuse
from tests.ui.windows import Window

AXE = ROOT / "tests" / "js" / "node_modules" / "axe-core" / "axe.min.js"
# Colors on their way from one theme to another are nobody's; what turns for ever is not waited for.
RUN = """async () => {
  const shadows = [...document.querySelectorAll("*")].map(({ shadowRoot }) => shadowRoot).filter(Boolean);
  const moving = [document, ...shadows].flatMap((root) => root.getAnimations());
  const ending = moving.filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity);
  await Promise.allSettled(ending.map(({ finished }) => finished));
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return grave.map(({ impact, id, nodes }) => `${impact} ${id}: ${nodes[0].html.slice(0, 120)}`);
}"""


def need_axe() -> Path:
    if not AXE.exists():
        refuse("axe-core is not installed: apt-get install npm, then make test installs it")
    return AXE


async def findings(shown: Window) -> list[str]:
    """One line for each rule that the page breaks seriously."""
    errors = list(shown.errors)
    await shown.page.evaluate(need_axe().read_text())
    found: list[str] = await shown.page.evaluate(RUN)
    shown.errors[:] = errors  # axe tries style sheets of its own, which the policy stops
    return found
