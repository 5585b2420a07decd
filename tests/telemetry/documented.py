"""The metrics that docs/metrics.md names: the type of each, and its labels."""

import re

from tests.gates import ROOT

ROW = re.compile(r"^\| `((?:holdfast|process)_\w+)` \| (\w+) \|(.*?)\|", re.M)
DOCUMENTED = {
    name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
    for name, kind, labels in ROW.findall((ROOT / "docs" / "metrics.md").read_text())
}
