// Follows the page: sections that changed come as server-sent events and are merged into it.
"use strict";
(() => {
  const PAUSE = 250; // Milliseconds between two redraws, at least.
  const main = document.getElementById("page");
  const told = document.getElementById("connection");
  if (!main) return;
  const { root, live } = main.dataset;

  // Merging: what is the same stays the same element, so nothing jumps, no text that is selected is
  // let go, and what somebody opened stays open.

  const touched = new WeakSet();
  document.addEventListener("click", (event) => {
    const summary = event.target.closest?.("summary");
    if (summary) touched.add(summary.parentElement);
  });

  function isKept(element, name) {
    if (name !== "open" || element.nodeName !== "DETAILS") return false;
    return touched.has(element) || element.querySelector(":target") !== null;
  }

  function merge(old, made) {
    // An output has what a script says, and keeps it.
    if (old.isEqualNode(made) || old.nodeName === "OUTPUT") return;
    if (old.nodeName !== made.nodeName || (old.id ?? "") !== (made.id ?? "")) {
      old.replaceWith(made);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = made.data;
      return;
    }
    for (const { name, value } of made.attributes)
      if (old.getAttribute(name) !== value && !isKept(old, name)) old.setAttribute(name, value);
    for (const { name } of [...old.attributes])
      if (!made.hasAttribute(name) && !isKept(old, name)) old.removeAttribute(name);
    mergeChildren(old, [...made.childNodes]);
  }

  function mergeChildren(parent, wanted) {
    const known = new Map();
    for (const child of parent.children) if (child.id) known.set(child.id, child);
    let next = parent.firstChild;
    for (const made of wanted) {
      const mine = made.id ? known.get(made.id) : next?.id ? undefined : next;
      if (!mine) {
        parent.insertBefore(made, next);
      } else if (mine === next) {
        next = next.nextSibling;
        merge(mine, made);
      } else {
        parent.insertBefore(mine, next);
        merge(mine, made);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  function parsed(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    tellTimes(template.content);
    return template.content.firstElementChild;
  }

  // Times are told in the zone of whoever looks, which the server does not know; and how long ago.

  const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  const UNITS = Object.entries({ day: 86400, hour: 3600, minute: 60 });

  function tellTimes(tree) {
    for (const time of tree.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      const past = (Date.now() - at) / 1000;
      const unit = UNITS.find(([, length]) => past >= length);
      const since = unit ? ago.format(-Math.floor(past / unit[1]), unit[0]) : "just now";
      const isToday = at.toDateString() === new Date().toDateString();
      const day = isToday ? {} : { month: "short", day: "numeric", year: "numeric" };
      const local = at.toLocaleString([], { ...day, hour: "numeric", minute: "2-digit" });
      const told = `${local}, ${since}`;
      if (!time.title) time.title = time.textContent;
      if (time.textContent !== told) time.textContent = told;
    }
  }

  tellTimes(document);
  setInterval(() => document.hidden || tellTimes(document), 10_000);

  // Which runs of a list have another state is said to those who do not see it.

  const news = document.getElementById("news");
  function states() {
    const shown = [...main.querySelectorAll(".runs .state")];
    return new Map(shown.map((state) => [state.closest("tr").id, state.lastChild.data]));
  }

  function announce(before) {
    const changed = [...states()].filter(([run, state]) => (before.get(run) ?? state) !== state);
    const said = changed.slice(0, 3).map(([run, state]) => `${run.replace("-", " ")}: ${state}`);
    if (said.length) news.textContent = said.join(", ");
  }

  // Redrawing: at most four times a second, with the latest of all that has come meanwhile.

  let waiting = null;
  let drawn = 0;
  let timer = 0;

  function take(change) {
    const sections = { ...waiting?.sections, ...change.sections };
    waiting = { ...change, sections };
    if (!timer) timer = setTimeout(draw, Math.max(0, drawn + PAUSE - performance.now()));
  }

  function draw() {
    timer = 0;
    if (!waiting || document.hidden) return;
    const { title, icon, order, sections } = waiting;
    waiting = null;
    drawn = performance.now();
    const before = states();
    const shown = new Map([...main.children].map((child) => [child.id, child]));
    let next = main.firstElementChild;
    for (const name of order) {
      const old = shown.get(name);
      const made = sections[name] === undefined ? null : parsed(sections[name]);
      if (!old && !made) continue;
      if (!old) main.insertBefore(made, next);
      else {
        if (old !== next) main.insertBefore(old, next);
        else next = next.nextElementSibling;
        if (made) merge(old, made);
      }
    }
    for (const child of [...main.children]) if (!order.includes(child.id)) child.remove();
    announce(before);
    document.title = `${title} · handrail`;
    const link = document.querySelector("link[rel=icon]");
    const wanted = `${root}/icon/${icon}.svg`;
    if (link && link.getAttribute("href") !== wanted) link.href = wanted;
  }

  // The stream. A tab that nobody sees has none: browsers allow six connections to a server.

  if (!live) return;
  let source = null;
  let server = null;

  function say(text, state) {
    if (told.textContent !== text) told.textContent = text;
    told.dataset.state = state;
  }

  function start() {
    if (document.hidden || source) return;
    source = new EventSource(`${root}/live?page=${encodeURIComponent(live)}`);
    source.addEventListener("change", (event) => take(JSON.parse(event.data)));
    source.addEventListener("hello", (event) => {
      const hello = JSON.parse(event.data);
      const isNew = server && hello.server !== server;
      const at = new Date().toLocaleTimeString();
      say(isNew ? `live again: the server was restarted (${at})` : "live", "live");
      server = hello.server;
    });
    source.onerror = () => {
      const closed = source.readyState === EventSource.CLOSED;
      if (closed) setTimeout(again, 5000);
      const stranger = "the server does not know this browser: open the address that it has printed";
      say(closed ? stranger : "the server cannot be reached; trying again", "lost");
    };
  }

  function again() {
    if (source?.readyState !== EventSource.CLOSED) return; // Hidden, or seen again, meanwhile.
    source = null;
    start();
  }

  function end() {
    source?.close();
    source = null;
    say("", "off");
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? end() : start()));
  addEventListener("pagehide", end);
  addEventListener("pageshow", start);
  document.getElementById("reload")?.remove();
  start();
})();
