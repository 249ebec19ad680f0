/* Returns what is wrong with the words that are shown and axe does not see, in a sentence each. */
() => {
  const found = new Set();
  const say = (what, element) => {
    const name = element.id ? `#${element.id}` : (element.getAttribute("class") ?? "");
    const words = (element.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    found.add(`${what}: <${element.localName} ${name}> ${words}`);
  };
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    for (const element of document.querySelectorAll("body *"))
      if (element.getBoundingClientRect().right > root.clientWidth + 1 && !element.closest(".scroll, pre"))
        say("wider than the window", element);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!texts.currentNode.data.trim() || element.closest("svg, script, style, option")) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    // For screen readers only, or hidden by a filter.
    if (style.clipPath !== "none" || parseFloat(style.fontSize) === 0) continue;
    if (parseFloat(style.fontSize) < 11) say(`too small (${style.fontSize})`, element);
    const clips = ["hidden", "clip"].includes(style.overflowX);
    if (clips && element.scrollWidth > element.clientWidth + 1) say("cut", element);
  }
  for (const text of document.querySelectorAll("svg text")) {
    const svg = text.closest("svg");
    const [mine, all] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
    if (!mine.width || getComputedStyle(svg).overflow === "visible") continue;
    if (mine.right > all.right + 1 || mine.left < all.left - 1 || mine.bottom > all.bottom + 1)
      say("text leaves its picture", text);
  }
  return [...found];
}
