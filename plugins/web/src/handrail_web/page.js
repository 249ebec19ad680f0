// Follows the page: sections that changed come as server-sent events and are merged into it.
//
// Browsers allow six connections to a server, so all tabs share one stream: whoever holds the lock
// leads, and tells the others. A tab that nobody sees holds nothing and does nothing.
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
    return name === "open" && element.nodeName === "DETAILS" && touched.has(element);
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
    return template.content.firstElementChild;
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
    document.title = `${title} · handrail`;
    const link = document.querySelector("link[rel=icon]");
    const wanted = `${root}/icon/${icon}.svg`;
    if (link && link.getAttribute("href") !== wanted) link.href = wanted;
  }

  // The stream.

  if (!live) return;
  const me = crypto.randomUUID?.() ?? String(Math.random());
  const channel = new BroadcastChannel(`handrail${root}`);
  let source = null; // Where this tab leads.
  let server = null;
  const wanted = new Map(); // Who looks at which page, where this tab leads.
  const latest = new Map(); // All that is known of a page, where this tab leads.
  let opened = "";

  function say(text, state) {
    if (told.textContent !== text) told.textContent = text;
    told.dataset.state = state;
  }

  function hear(message) {
    const { kind } = message;
    if (kind === "change" && message.page === live) take(message);
    if (kind === "state") {
      if (message.server && server && message.server !== server) {
        const at = new Date().toLocaleTimeString();
        say(`live again: the server was restarted (${at})`, "live");
      } else if (message.state === "lost") {
        say("the server cannot be reached; trying again", "lost");
      } else if (message.state === "closed") {
        say("the server does not know this browser: open the address that it has printed", "lost");
      } else if (told.dataset.state !== "live") {
        say("live", "live");
      }
      server = message.server ?? server;
    }
    if (kind === "who" && !document.hidden) tell({ kind: "want", page: live, from: me });
    if (!source && opened === "") return;
    if (kind === "want") want(message);
    if (kind === "leave") leave(message.from);
  }

  function tell(message) {
    channel.postMessage(message);
    hear(message);
  }

  function want({ page, from }) {
    wanted.set(from, page);
    const known = latest.get(page);
    if (!known) return later();
    if (source?.readyState === EventSource.OPEN) tell({ kind: "state", state: "live", server });
    tell({ kind: "change", ...known });
  }

  function leave(from) {
    wanted.delete(from);
  }

  let soon = 0;
  function later() {
    clearTimeout(soon);
    soon = setTimeout(open, 50);
  }

  function open() {
    const pages = [...new Set(wanted.values())].sort();
    const query = pages.map((page) => `page=${encodeURIComponent(page)}`).join("&");
    const closed = !source || source.readyState === EventSource.CLOSED;
    if (!pages.length || (query === opened && !closed)) return;
    source?.close();
    for (const page of latest.keys()) if (!pages.includes(page)) latest.delete(page);
    opened = query;
    source = new EventSource(`${root}/live?${query}`);
    source.addEventListener("hello", (event) =>
      tell({ kind: "state", state: "live", ...JSON.parse(event.data) }),
    );
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      const known = latest.get(change.page);
      latest.set(change.page, { ...change, sections: { ...known?.sections, ...change.sections } });
      tell({ kind: "change", ...change });
    });
    source.onerror = () => {
      const closed = source?.readyState === EventSource.CLOSED;
      tell({ kind: "state", state: closed ? "closed" : "lost" });
      if (closed) setTimeout(() => source && open(), 5000);
    };
  }

  let stop = null; // Gives back the lock.
  let asked = null; // Waits for it.

  function lead() {
    opened = "-";
    wanted.set(me, live);
    channel.postMessage({ kind: "who" });
    later();
    return new Promise((resolve) => (stop = resolve));
  }

  function start() {
    if (document.hidden || asked) return;
    channel.postMessage({ kind: "want", page: live, from: me });
    asked = new AbortController();
    // Pages that are not from this machine have no locks: each tab is its own leader.
    if (navigator.locks)
      navigator.locks.request(`handrail${root}`, { signal: asked.signal }, lead).catch(() => {});
    else lead();
  }

  function end() {
    clearTimeout(soon);
    source?.close();
    source = null;
    opened = "";
    wanted.clear();
    latest.clear();
    asked?.abort();
    asked = null;
    stop?.();
    stop = null;
    channel.postMessage({ kind: "leave", from: me });
    say("", "off");
  }

  channel.onmessage = (event) => hear(event.data);
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : start()));
  addEventListener("pagehide", end);
  addEventListener("pageshow", start);
  document.getElementById("reload")?.remove();
  start();
})();
