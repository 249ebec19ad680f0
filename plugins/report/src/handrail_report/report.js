// Searches logs as one types, links to their lines, sorts tables and saves pictures. All can be
// read without it, too: what needs it is seen only where it runs.
"use strict";
(() => {
  const before = new WeakMap(); // Whether a log was open before somebody searched.
  const orders = new WeakMap(); // The column by which a table is sorted, and in which direction.

  function search(logs) {
    const text = logs.querySelector("[type=search]").value.trim();
    const errors = logs.querySelector("[type=checkbox]").checked;
    const pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "iu");
    const isAll = !text && !errors;
    const lines = [...logs.querySelectorAll(".log > span")];
    for (const line of lines) {
      const fits = !errors || line.classList.contains("bad-text");
      line.hidden = !(fits && pattern.test(line.textContent));
    }
    for (const log of logs.querySelectorAll("details")) {
      if (!before.has(log)) before.set(log, log.open);
      const found = log.querySelector(".log > span:not([hidden])") !== null;
      log.hidden = !found;
      log.open = isAll ? before.get(log) : found;
      if (isAll) before.delete(log);
    }
    const found = lines.filter((line) => !line.hidden).length;
    const output = logs.querySelector("output");
    const [some, all] = [found, lines.length].map((each) => each.toLocaleString("en"));
    const said = isAll ? "" : `${some} of ${all} lines`;
    if (output.textContent !== said) output.textContent = said; // It is read out when it changes.
  }

  function sort(table, column, sign) {
    const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const compare = (one, other) => {
      const [first, last] = [key(one), key(other)];
      // What is missing comes last, whichever the direction.
      if (first === "-" || last === "-") return (first === "-") - (last === "-");
      return sign * (first - last || first.localeCompare(last));
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    for (const [place, head] of [...table.tHead.rows[0].cells].entries())
      head.ariaSort = place === column ? (sign > 0 ? "ascending" : "descending") : null;
  }

  // A page that follows a run undoes what was done here where it writes something new.
  const changes = new MutationObserver(() => {
    for (const logs of document.querySelectorAll(".logs"))
      if (logs.querySelector("output").textContent) search(logs);
    for (const table of document.querySelectorAll(".sortable"))
      if (orders.has(table)) sort(table, ...orders.get(table));
    changes.takeRecords(); // These are our own.
  });

  document.documentElement.classList.add("scripted");
  document.addEventListener("input", ({ target }) => {
    const logs = target.closest(".logs");
    if (logs) search(logs);
    changes.takeRecords();
  });
  document.addEventListener("click", ({ target }) => {
    const [line, head] = [target.closest(".log > span"), target.closest(".sortable th[scope=col]")];
    const picture = target.closest("button.save");
    if (line && getSelection().isCollapsed) location.hash = line.id;
    if (head) {
      const [table, column] = [head.closest("table"), head.cellIndex];
      orders.set(table, [column, head.ariaSort === "ascending" ? -1 : 1]);
      sort(table, ...orders.get(table));
      changes.takeRecords();
    }
    if (picture) {
      const link = document.createElement("a");
      link.href = picture.closest("figure").querySelector("img").src;
      link.download = picture.value;
      link.click();
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    // What a step said last tells why it failed, or what it does.
    if (!location.hash)
      for (const log of document.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
    changes.observe(document, {
      subtree: true,
      childList: true,
      characterData: true,
      attributeFilter: ["hidden"],
    });
  });
  // Browsers fill in again what was typed before a page was left.
  addEventListener("pageshow", () => document.querySelectorAll(".logs").forEach(search));
})();
