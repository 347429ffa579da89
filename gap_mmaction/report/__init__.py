"""One page about a run."""

from .page import ReportSources, render_report
from .run_folder import RunFolder

__all__ = ["ReportSources", "RunFolder", "render_report"]
