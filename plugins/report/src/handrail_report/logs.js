// Shows only the lines of logs that have a text, as one types it. All can be read without it, too:
// the box to type in is seen only where this runs.
"use strict";
(() => {
  const wholes = new WeakMap(); // The nodes of each log that is shown in part.
  const opened = new WeakMap(); // Whether it was open before.

  // Returns what is to be shown of a log, and how many lines of how many that are. A log is text of
  // many lines, with an element for each line about an error.
  function partOf(nodes, fits) {
    const part = { nodes: [], lines: 0, all: 0 };
    for (const node of nodes) {
      // What is said of the log, such as how much of it is left out, is true of each part of it.
      const said = node.nodeName === "EM";
      const lines = said ? [] : node.textContent.match(/[^\n]*\n/g) ?? [];
      const kept = lines.filter((line) => fits(line, node.nodeName === "STRONG"));
      part.all += lines.length;
      part.lines += kept.length;
      if (said || kept.length === lines.length) part.nodes.push(node);
      else if (kept.length) part.nodes.push(kept.join(""));
    }
    return part;
  }

  function show(logs) {
    const text = logs.querySelector("[type=search]").value.trim();
    const errors = logs.querySelector("[type=checkbox]")?.checked ?? false;
    const pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "iu");
    const isAll = !text && !errors;
    const sum = { lines: 0, all: 0 };
    for (const log of logs.querySelectorAll(".log")) {
      const step = log.closest("details");
      if (!opened.has(step)) opened.set(step, step.open);
      const nodes = wholes.get(log) ?? [...log.childNodes];
      const part = partOf(nodes, (line, bad) => (bad || !errors) && pattern.test(line));
      wholes.set(log, nodes);
      log.replaceChildren(...(isAll ? nodes : part.nodes));
      step.hidden = !isAll && !part.lines;
      step.open = isAll ? opened.get(step) : part.lines > 0;
      if (isAll) {
        wholes.delete(log);
        opened.delete(step);
      }
      sum.lines += part.lines;
      sum.all += part.all;
    }
    const [lines, all] = [sum.lines, sum.all].map((each) => each.toLocaleString("en"));
    const output = logs.querySelector("output");
    const said = isAll ? "" : `${lines} of ${all} lines`;
    if (output.textContent !== said) output.textContent = said; // It is read out when it changes.
    changes.takeRecords(); // These are our own.
  }

  // A page that follows a run puts all of a log in place of a part of it.
  const changes = new MutationObserver((records) => {
    for (const { target } of records)
      wholes.delete((target.closest ? target : target.parentElement)?.closest(".log"));
    for (const logs of document.querySelectorAll(".logs"))
      if (logs.querySelector("output").textContent) show(logs);
  });

  document.documentElement.classList.add("scripted");
  document.addEventListener("input", (event) => {
    const logs = event.target.closest(".logs");
    if (logs) show(logs);
  });
  document.addEventListener("DOMContentLoaded", () =>
    changes.observe(document, { subtree: true, childList: true, characterData: true }),
  );
  // Browsers fill in again what was typed before a page was left.
  addEventListener("pageshow", () => document.querySelectorAll(".logs").forEach(show));
})();
