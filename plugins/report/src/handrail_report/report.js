// Searches logs and tables as one types, links to their lines, sorts tables and saves pictures. All can be
// read without it, too: what needs it is seen only where it runs.
"use strict";
(() => {
  const before = new WeakMap(); // Whether a log was open before somebody searched.
  const orders = new WeakMap(); // The column by which a table is sorted, and in which direction.

  const shown = new WeakMap(); // The rows of a table that are seen when nobody searches.

  function sought(part) {
    const text = part.querySelector("[type=search]").value.trim();
    return [text, new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "iu")];
  }

  function say(part, isAll, some, all, what) {
    const output = part.querySelector("output");
    const [found, of] = [some, all].map((each) => each.toLocaleString("en"));
    const said = isAll ? "" : `${found} of ${of} ${what}`;
    if (output.textContent !== said) output.textContent = said; // It is read out when it changes.
  }

  // The rows of a table are in the file that can be saved, also those for which there is no room.
  function rowsOf(figure) {
    const file = figure.querySelector("a.save").getAttribute("href");
    const rows = [[]];
    const cells = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|$)/g;
    for (const [, cell, end] of decodeURIComponent(file.slice(file.indexOf(",") + 1)).matchAll(cells)) {
      rows.at(-1).push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
      if (end === "\r\n") rows.push([]);
    }
    return rows.slice(1, -1);
  }

  function searchTable(figure) {
    const body = figure.querySelector("tbody");
    const [text, pattern] = sought(figure);
    if (!text && !shown.has(figure)) return;
    if (!shown.has(figure)) shown.set(figure, [...body.rows]);
    const first = shown.get(figure);
    const all = rowsOf(figure);
    const found = text ? all.filter((row) => row.some((cell) => pattern.test(cell))) : [];
    const made = found.slice(0, first.length).map((cells) => {
      const row = first[0].cloneNode(true);
      for (const [place, cell] of [...row.cells].entries()) {
        const isNumber = cell.className === "number" && cells[place];
        cell.textContent = isNumber ? Number(cells[place]).toLocaleString("en") : cells[place] || "-";
      }
      return row;
    });
    body.replaceChildren(...(text ? made : first));
    if (!text) shown.delete(figure);
    say(figure, !text, found.length, all.length, "rows");
  }

  function search(logs) {
    const [text, pattern] = sought(logs);
    const errors = logs.querySelector("[type=checkbox]").checked;
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
    say(logs, isAll, found, lines.length, "lines");
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
    else if (target.closest("figure")) searchTable(target.closest("figure"));
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
  addEventListener("pageshow", () => {
    document.querySelectorAll(".logs").forEach(search);
    document.querySelectorAll("figure:has([type=search])").forEach(searchTable);
  });
})();
