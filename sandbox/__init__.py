"""A local Redshift and a local AWS to try, test and measure against: real logins, real messages, nothing installed."""

import sys
from pathlib import Path

# So that "python -m sandbox" works as it stands, without PYTHONPATH.
sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
