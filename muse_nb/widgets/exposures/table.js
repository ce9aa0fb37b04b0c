// The survey's exposures, one a row: click or arrow keys select, a heading sorts. All text goes through textContent.
import { Traits, complaints, h, keyboard } from "../shared/ui.js";

function render({ model, el }) {
  const traits = new Traits(model), names = traits.get("columns"), rows = traits.get("rows"), findings = traits.get("findings");
  const angle = names.indexOf("angle [°]");
  let sorted = { column: 0, down: false };
  const body = h("tbody", {}), count = h("span", { class: "mnb-hint" }), box = h("div", { class: "mnb-exposures", role: "region", "aria-label": "Exposures" });

  const order = () => {
    const by = sorted.column, sign = sorted.down ? -1 : 1;
    return [...rows].sort((a, b) => sign * a[by].localeCompare(b[by], undefined, { numeric: true }));
  };
  function cell(row, k) {
    const td = h("td", {}, row[k]);
    const turn = k === angle ? Number.parseFloat(row[k]) : Number.NaN; // the field's top points POSANG east of north, and east is left
    if (Number.isFinite(turn)) td.append(" ", h("span", { class: "mnb-arrow", style: `transform:rotate(${-turn}deg)`, "aria-hidden": "true" }, "↑"));
    return td;
  }
  function fill() {
    body.replaceChildren(...order().map((row) => h("tr", { "data-label": row[0], onclick: () => choose(row[0]) }, ...row.map((_, k) => cell(row, k)))));
    [...head.children].forEach((th, k) => th.setAttribute("aria-sort", k !== sorted.column ? "none" : sorted.down ? "descending" : "ascending"));
    mark();
  }
  function mark() {
    for (const tr of body.children) tr.setAttribute("aria-current", String(tr.dataset.label === traits.get("selected")));
    body.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
    count.textContent = `${rows.length} exposures${traits.get("selected") ? `, ${traits.get("selected")} selected` : ""}`;
  }
  const choose = (label) => traits.set("selected", label === traits.get("selected") ? "" : label);
  function move(step) {
    const list = order().map((row) => row[0]), at = list.indexOf(traits.get("selected"));
    if (list.length) traits.set("selected", list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step))]);
  }
  const head = h("tr", {}, ...names.map((name, k) => h("th", { scope: "col" }, h("button", {
    type: "button", class: "mnb-sort", title: `Sort by ${name}`,
    onclick: () => { sorted = { column: k, down: sorted.column === k && !sorted.down }; fill(); },
  }, name))));
  box.append(h("table", {}, h("thead", {}, head), body));
  box.style.maxHeight = `${traits.get("height")}px`;
  const bar = h("div", { class: "mnb-bar" }, count);
  const found = h("details", { class: "mnb-note", open: findings.length > 0 && findings.length <= 5 },
    h("summary", {}, findings.length ? `Look at this: ${findings.length}` : "Nothing is missing or out of place."),
    h("ul", {}, ...findings.map((text) => h("li", {}, text))));
  const root = h("div", { class: "mnb-viewer" }, bar, complaints(traits), box, found);
  bar.append(keyboard(root, box, [
    [["ArrowUp", "ArrowDown"], "exposure above, below", (event) => move(event.key === "ArrowUp" ? -1 : 1)],
    [["Escape"], "select none", () => traits.set("selected", "")],
  ]));
  traits.watch("selected", mark);
  el.append(root);
  fill();
  return () => traits.close();
}

export default { render };
