"""HTML from values, for reports and pages: for packs that show runs.

Everything that is not `Markup` is escaped, wherever it comes from. Names are imported from here on
first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.html.charts import Point as Point
    from handrail.html.charts import bar_chart as bar_chart
    from handrail.html.charts import heatmap as heatmap
    from handrail.html.charts import line_chart as line_chart
    from handrail.html.charts import scatter_chart as scatter_chart
    from handrail.html.comparison import compare_sections as compare_sections
    from handrail.html.document import page as page
    from handrail.html.document import script as script
    from handrail.html.document import stylesheet as stylesheet
    from handrail.html.elements import Content as Content
    from handrail.html.elements import Markup as Markup
    from handrail.html.elements import element as element
    from handrail.html.elements import joined as joined
    from handrail.html.plan_drawing import plan_picture as plan_picture
    from handrail.html.run import run_sections as run_sections
    from handrail.html.runs import runs_sections as runs_sections
    from handrail.html.states import badge as badge
    from handrail.html.sweep import sweep_sections as sweep_sections
    from handrail.html.whole_report import report as report
