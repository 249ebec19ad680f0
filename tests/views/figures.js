/* Returns how each figure is drawn where it is as wide as in any other document: its parts, their
   words, places and styles. */
() => {
  const styles = ["color", "backgroundColor", "fill", "fillOpacity", "stroke", "strokeWidth",
    "strokeDasharray", "fontFamily", "fontSize", "fontWeight", "textAlign", "opacity", "visibility"];
  const pinned = { position: "fixed", inset: "0 auto auto 0", width: "360px", margin: 0 };
  const drawn = (figure) => {
    const before = figure.style.cssText;
    const folded = [...figure.querySelectorAll("details:not([open])")];
    Object.assign(figure.style, pinned);
    for (const each of folded) each.open = true;
    const parts = [...figure.querySelectorAll("*")].map((part) => {
      const { x, y, width, height } = part.getBoundingClientRect();
      const style = getComputedStyle(part);
      const words = part.children.length ? "" : part.textContent.trim();
      const place = [x, y, width, height].map((length) => Math.round(length)).join(" ");
      const name = `${part.localName} ${part.getAttribute("class") ?? ""}`;
      return [name, words, place, ...styles.map((name) => style[name])];
    });
    for (const each of folded) each.open = false;
    figure.style.cssText = before;
    return parts;
  };
  return [...document.querySelectorAll("figure")].filter((each) => each.checkVisibility()).map(drawn);
}
