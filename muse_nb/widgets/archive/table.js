// The archive's exposures, one a row: a click or the space bar chooses one or lets it go. All text goes through textContent.
import { Traits, button, complaints, h, keyboard } from "../shared/ui.js";

function render({ model, el }) {
  const traits = new Traits(model), names = traits.get("columns"), rows = traits.get("rows"), findings = traits.get("findings");
  let sorted = { column: 0, down: false }, at = 0;
  const body = h("tbody", {}), count = h("span", { class: "mnb-hint" }), box = h("div", { class: "mnb-exposures", role: "region", "aria-label": "Exposures of the archive" });
  const chosen = () => new Set(traits.get("chosen"));

  const order = () => {
    const by = sorted.column, sign = sorted.down ? -1 : 1;
    return [...rows].sort((a, b) => sign * a[by].localeCompare(b[by], undefined, { numeric: true }));
  };
  function toggle(name) {
    const some = chosen();
    if (!some.delete(name)) some.add(name);
    traits.set("chosen", [...some]);
  }
  function fill() {
    body.replaceChildren(...order().map((row, k) => h("tr", { "data-name": row[0], onclick: () => { at = k; toggle(row[0]); } },
      h("td", {}, h("input", { type: "checkbox", tabindex: "-1", "aria-label": `Fetch ${row[0]}` })), ...row.map((text) => h("td", {}, text)))));
    [...head.children].slice(1).forEach((th, k) => th.setAttribute("aria-sort", k !== sorted.column ? "none" : sorted.down ? "descending" : "ascending"));
    mark();
  }
  function mark() {
    const some = chosen();
    [...body.children].forEach((tr, k) => {
      const on = some.has(tr.dataset.name);
      tr.setAttribute("aria-selected", String(on));
      tr.setAttribute("aria-current", String(k === at));
      tr.querySelector("input").checked = on;
    });
    count.textContent = `${some.size} of ${rows.length} exposures chosen`;
    size.textContent = traits.get("headline");
  }
  function move(step) {
    at = Math.max(0, Math.min(rows.length - 1, at + step));
    mark();
    body.children[at]?.scrollIntoView({ block: "nearest" });
  }
  const size = h("span", { class: "mnb-hint" });
  const head = h("tr", {}, h("th", { scope: "col" }, ""), ...names.map((name, k) => h("th", { scope: "col" }, h("button", {
    type: "button", class: "mnb-sort", title: `Sort by ${name}`,
    onclick: () => { sorted = { column: k, down: sorted.column === k && !sorted.down }; fill(); },
  }, name))));
  box.append(h("table", {}, h("thead", {}, head), body));
  box.style.maxHeight = `${traits.get("height")}px`;
  const bar = h("div", { class: "mnb-bar" }, 
    button("All", "Choose all exposures", () => traits.set("chosen", rows.map((row) => row[0]))),
    button("None", "Choose no exposure", () => traits.set("chosen", [])), count, size);
  const found = h("details", { class: "mnb-note", open: findings.length > 0 && findings.length <= 5 },
    h("summary", {}, findings.length ? `The archive says: ${findings.length}` : "The archive says nothing more."),
    h("ul", {}, ...findings.map((text) => h("li", {}, text))));
  const root = h("div", { class: "mnb-viewer" }, bar, complaints(traits), box, found);
  bar.append(keyboard(root, box, [
    [["ArrowUp", "ArrowDown"], "exposure above, below", (event) => move(event.key === "ArrowUp" ? -1 : 1)],
    [[" ", "Enter"], "choose it, or let it go", (event) => {
      if (event.target.tagName === "BUTTON") event.target.click();
      else if (rows.length) toggle(order()[at][0]);
    }],
  ]));
  traits.watch("chosen", mark);
  traits.watch("headline", mark);
  el.append(root);
  fill();
  return () => traits.close();
}

export default { render };
