"""handrail-report: HTML from what is recorded of runs, for reports, notebooks and pages.

Everything that is not `Markup` is escaped, wherever it comes from. Names are imported from here on
first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from markupsafe import Markup as Markup

    from handrail_report.charts import Point as Point
    from handrail_report.charts import plan_picture as plan_picture
    from handrail_report.charts import plot as plot
    from handrail_report.document import page as page
    from handrail_report.document import report as report
    from handrail_report.document import script as script
    from handrail_report.document import stylesheet as stylesheet
    from handrail_report.run import run_sections as run_sections
    from handrail_report.runs import compare_sections as compare_sections
    from handrail_report.runs import sweep_sections as sweep_sections
    from handrail_report.templates import Templates as Templates
